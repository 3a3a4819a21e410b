import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { root } from './model.js'

const windows = process.platform === 'win32'

/** The path of npm's script, which node runs directly because npm.cmd cannot be spawned without a shell. */
function npmScript(): string {
  const bin = dirname(process.execPath)
  const found = [
    join(bin, 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(bin, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
  ].find(existsSync)
  const script = process.env.npm_execpath ?? found
  if (script === undefined) throw new Error('npm is not to be found beside node')
  return script
}

/** A PATH with only node and the shell in which npm runs scripts. */
function barePath(folder: string): string {
  if (windows) {
    return [dirname(process.execPath), join(process.env.SystemRoot ?? 'C:\\Windows', 'System32')].join(delimiter)
  }
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  symlinkSync(process.execPath, join(bin, 'node'))
  symlinkSync('/bin/sh', join(bin, 'sh'))
  return bin
}

/** The environment of a machine with nothing but Node, without the variables that npm has set for our own package. */
function bareEnvironment(folder: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|path$|cc$|cxx$|cmake|node_options$|tap|_tapjs)/i.test(name),
  )
  return { ...Object.fromEntries(inherited), PATH: barePath(folder) }
}

/** Runs node and returns its standard output; throws an error with everything that it wrote if it fails. */
export function node(args: string[], cwd: string, env: NodeJS.ProcessEnv): string {
  try {
    return execFileSync(process.execPath, args, { cwd, env, encoding: 'utf8', stdio: 'pipe', maxBuffer: 1 << 26 })
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`node ${args.join(' ')} failed\n${stdout}\n${stderr}`, { cause: error })
  }
}

export interface Installed {
  /** The folder of everything. It is not below our own folder, where Node would also find our node_modules. */
  folder: string
  /** The project of a user whose only dependency is the package. */
  project: string
  /** Its node_modules/moss-speech-native. */
  installed: string
  /** The paths of the tarball. */
  paths: string[]
  tarball: string
  /** The environment of a machine without a compiler. */
  env: NodeJS.ProcessEnv
  remove: () => void
}

/** Packs the package with a prebuild for this machine, and installs it as a user would. */
export function install(): Installed {
  const npm = npmScript()
  const folder = mkdtempSync(join(tmpdir(), 'moss-speech-native-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    const project = join(folder, 'project')
    mkdirSync(project)
    writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true }')
    const env = bareEnvironment(folder)
    node([join(root, 'scripts', 'prebuild.mjs')], root, process.env)
    const packed = node([npm, 'pack', '--ignore-scripts', '--json', '--pack-destination', folder], root, process.env)
    const [{ filename, files }] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }]
    const tarball = join(folder, filename)
    node([npm, 'install', '--prefer-offline', '--no-audit', '--no-fund', tarball], project, env)
    const installed = join(project, 'node_modules', 'moss-speech-native')
    return { folder, project, installed, paths: files.map(file => file.path), tarball, env, remove }
  } catch (error) {
    remove()
    throw error
  }
}
