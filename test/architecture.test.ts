// The layers of ARCHITECTURE.md: no file imports one of a higher layer, and there are no circular imports.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize, relative, sep } from 'node:path'
import t from 'tap'
import { root } from './helpers/model.js'

/** The lowest layer first. A file belongs to the first folder that contains it. */
const LAYERS = [
  ['native/io', 'native/kernels', 'native/graph', 'native/model', 'native/core/hearing', 'native/core/turn', 'native/core/probe', 'native/addon'],
  ['lib', 'bin'],
] // prettier-ignore

function filesBelow(folder: string, kind: RegExp): string[] {
  return readdirSync(join(root, folder)).flatMap(name => {
    const path = `${folder}/${name}`
    return statSync(join(root, path)).isDirectory() ? filesBelow(path, kind) : kind.test(name) ? [path] : []
  })
}

/** The files of this repository that a file imports, also only for types. */
function importsOf(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8')
  const native = path.startsWith('native/')
  const pattern = native ? /^#include "([^"]+)"/gm : /^(?:import|export)[^'"]*from '(\.[^']+)\.js'/gm
  return [...text.matchAll(pattern)].flatMap(([, name = '']) => {
    const candidates = native ? [join(dirname(path), name), join('native', name)] : [`${join(dirname(path), name)}.ts`]
    const found = candidates.map(candidate => normalize(candidate)).find(candidate => existsSync(join(root, candidate)))
    return found ? [relative('.', found).split(sep).join('/')] : []
  })
}

function circleFrom(start: string, edges: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>()
  const visit = (path: string[]): string[] | undefined => {
    for (const next of edges.get(path[path.length - 1] ?? '') ?? []) {
      if (next === start) return [...path, next]
      if (done.has(next)) continue
      done.add(next)
      const circle = visit([...path, next])
      if (circle) return circle
    }
    return undefined
  }
  return visit([start])
}

for (const [name, folders, kind] of [
  ['C++', ['native'], /\.(h|cpp|inc)$/],
  ['TypeScript', ['lib', 'bin'], /\.ts$/],
] as const) {
  t.test(name, async t => {
    const files = folders.flatMap(folder => filesBelow(folder, kind))
    const edges = new Map(files.map(path => [path, importsOf(path)]))
    const count = [...edges.values()].flat().length
    t.ok(count > files.length, `${count} imports of ${files.length} files`)
    for (const layers of LAYERS) {
      const layerOf = (path: string): number => layers.findIndex(layer => path.startsWith(`${layer}/`))
      const upward = [...edges].flatMap(([from, all]) =>
        all.filter(to => layerOf(from) >= 0 && layerOf(to) > layerOf(from)).map(to => `${from} imports ${to}`),
      )
      t.strictSame(upward, [], 'no upward import')
    }
    const circles = files.flatMap(file => circleFrom(file, edges)?.join(' → ') ?? [])
    t.strictSame(circles, [], 'no circle')
  })
}
