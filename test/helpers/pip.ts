import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const WHERE = 'import importlib.util as u, sys; print(u.find_spec(sys.argv[1]).submodule_search_locations[0])'

/** A file of an installed pip package (of MOSS_PYTHON, otherwise of python3); undefined if there is none. */
export function pipFile(name: string, file: string): string | undefined {
  for (const python of [process.env.MOSS_PYTHON, 'python3']) {
    if (!python) continue
    try {
      const folder = execFileSync(python, ['-c', WHERE, name], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      const path = join(folder.trim(), file)
      if (existsSync(path)) return path
    } catch {
      // there is no such Python, or it lacks the package
    }
  }
  return undefined
}
