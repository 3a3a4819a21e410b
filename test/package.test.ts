// The package as a user gets it: packed with a prebuild, installed into an empty project where neither a compiler nor CMake
// is to be found, and loaded with both `require` and `import`.

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import t from 'tap'

const root = resolve(__dirname, '..')
const windows = process.platform === 'win32'
const nano = join(root, 'models', 'nano.gguf')

/** npm's script, run by node itself: npm.cmd cannot be spawned without a shell. */
const npmScript =
  process.env.npm_execpath ??
  [
    join(dirname(process.execPath), 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
  ].find(existsSync)

/** The environment of a machine with Node and nothing else, and without what npm told this process about our own package. */
function bareEnvironment(folder: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|path$|cc$|cxx$|cmake|node_options$|tap|_tapjs)/i.test(name),
  )
  return { ...Object.fromEntries(inherited), PATH: bareFolder(folder) }
}

/** A PATH with node and the shell that npm runs scripts in. */
function bareFolder(folder: string): string {
  if (windows) {
    return [dirname(process.execPath), join(process.env.SystemRoot ?? 'C:\\Windows', 'System32')].join(delimiter)
  }
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  symlinkSync(process.execPath, join(bin, 'node'))
  symlinkSync('/bin/sh', join(bin, 'sh'))
  return bin
}

/** Runs node to its end; its standard output, or an error with all that it wrote. */
function node(args: string[], cwd: string, env: NodeJS.ProcessEnv): string {
  try {
    return execFileSync(process.execPath, args, { cwd, env, encoding: 'utf8', stdio: 'pipe', maxBuffer: 1 << 26 })
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`node ${args.join(' ')} failed\n${stdout}\n${stderr}`, { cause: error })
  }
}

t.test('the packed package works where there is no compiler', async t => {
  if (npmScript === undefined) throw new Error('npm is not to be found beside node')
  // Not tap's own test folder: that is below ours, where Node would also find our node_modules.
  const folder = mkdtempSync(join(tmpdir(), 'moss-speech-native-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const project = join(folder, 'project')
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true }')
  const env = bareEnvironment(folder)

  node([join(root, 'scripts', 'prebuild.mjs')], root, process.env)
  const packed = node(
    [npmScript, 'pack', '--ignore-scripts', '--json', '--pack-destination', folder],
    root,
    process.env,
  )
  const [{ filename, files }] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }]
  const paths = files.map(file => file.path)

  t.test('holds what a source build without network needs, and nothing of the workshop', async t => {
    for (const path of ['CMakeLists.txt', 'binding.gyp', 'native/addon/module.cpp', 'scripts/install.mjs']) {
      t.ok(paths.includes(path), path)
    }
    t.ok(paths.includes('vendor/ggml/ggml/CMakeLists.txt'), 'the source of ggml')
    t.ok(paths.includes('vendor/ggml/LICENSE'), 'the licence of ggml')
    t.ok(paths.includes(`prebuilds/${process.platform}-${process.arch}/moss-speech-native.node`), 'the prebuild')
    t.notOk(paths.some(path => /^(test|training|build|docs|bench|node_modules)\//.test(path)))
  })

  node([npmScript, 'install', '--prefer-offline', '--no-audit', '--no-fund', join(folder, filename)], project, env)
  const installed = join(project, 'node_modules', 'moss-speech-native')

  t.test('found neither a compiler nor CMake', async t => {
    for (const tool of ['cc', 'gcc', 'clang', 'cl', 'cmake']) {
      const { error } = spawnSync(tool, ['--version'], { env })
      t.equal((error as NodeJS.ErrnoException | undefined)?.code, 'ENOENT', tool)
    }
  })

  t.test('took the prebuild', async t => {
    t.notOk(existsSync(join(installed, 'build')), 'nothing was built')
    const prebuild = readdirSync(join(installed, 'prebuilds', `${process.platform}-${process.arch}`))
    t.ok(
      prebuild.some(name => name.includes('ggml-cpu')),
      'the CPU backends stand beside the addon',
    )
  })

  const use = `
    const model = await loadModel()
    const info = model.info
    await model.dispose()
    console.log(info === undefined ? 'no info' : 'loaded')`
  const programs = {
    'require.cjs': `const { loadModel } = require('moss-speech-native')\nvoid (async () => {${existsSync(nano) ? use : "console.log('loaded', typeof loadModel)"}})()`,
    'import.mjs': `import { loadModel } from 'moss-speech-native'\n${existsSync(nano) ? use : "console.log('loaded', typeof loadModel)"}`,
    'one-copy.mjs': `import { createRequire } from 'node:module'
      import { MossSpeechError } from 'moss-speech-native'
      const required = createRequire(import.meta.url)('moss-speech-native')
      if (required.MossSpeechError !== MossSpeechError) throw new Error('two copies')
      console.log('loaded once')`,
  }
  for (const [name, program] of Object.entries(programs)) {
    writeFileSync(join(project, name), program)
    t.test(name, async t => {
      t.match(node([name], project, env), /^loaded/)
    })
  }

  t.test('the command runs', async t => {
    const command = join(installed, 'dist', 'bin', 'moss-speech.js')
    t.match(node([command, '--help'], project, env), /Usage: moss-speech/)
  })
})
