// The package as a user gets it: packed with a prebuild, installed into an empty project on a machine without a
// compiler and CMake, loaded with both `require` and `import`, bundled, and laid out as in Electron.

import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, posix } from 'node:path'
import t from 'tap'
import { install, node } from './helpers/package.js'
import { root } from './helpers/model.js'

const windows = process.platform === 'win32'
const prebuild = `${process.platform}-${process.arch}`
const { folder, project, installed, paths, env, remove } = install()
t.teardown(remove)

/** The code blocks of a language in a document of the package. */
function blocks(document: string, language: string): string[] {
  const text = readFileSync(join(installed, document), 'utf8')
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, code]) => code ?? '')
}

t.test('has what a source build without network needs, and no development files', async t => {
  for (const path of ['CMakeLists.txt', 'binding.gyp', 'native/addon/module.cpp', 'scripts/install.mjs']) {
    t.ok(paths.includes(path), path)
  }
  t.ok(paths.includes('vendor/ggml/ggml/CMakeLists.txt'), 'the source of ggml')
  t.ok(paths.includes('vendor/ggml/LICENSE'), 'the licence of ggml')
  for (const path of ['NOTICE', 'models/LICENSE-APACHE-2.0.txt'])
    t.ok(paths.includes(path), `whose work is in nano: ${path}`)
  t.ok(paths.includes(`prebuilds/${prebuild}/moss-speech-native.node`), 'the prebuild')
  t.notOk(paths.some(path => /^(test|training|build|docs\/api|bench|node_modules)\//.test(path)))
})

t.test('every relative link of its documents leads somewhere', async t => {
  const documents = paths.filter(path => path.endsWith('.md') && !path.startsWith('vendor/'))
  t.ok(documents.includes('README.md') && documents.includes('docs/cli.md'), 'there are documents')
  const slug = (heading: string): string =>
    heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replaceAll(' ', '-') // prettier-ignore
  for (const document of documents) {
    const text = readFileSync(join(installed, document), 'utf8')
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? document : posix.join(posix.dirname(document), file)
      const there = paths.includes(target) || paths.some(path => path.startsWith(`${target.replace(/\/$/, '')}/`))
      t.ok(there, `${document}: ${link}`)
      if (!there || anchor === undefined) continue
      const headings = [...readFileSync(join(installed, target), 'utf8').matchAll(/^#+ (.*)$/gm)]
      t.ok(headings.map(([, heading]) => slug(heading ?? '')).includes(anchor), `${document}: ${link}: the heading`)
    }
  }
})

t.test('took the prebuild, and installed nothing that only a source build needs', async t => {
  for (const tool of ['cc', 'gcc', 'clang', 'cl', 'cmake']) {
    const { error } = spawnSync(tool, ['--version'], { env })
    t.equal((error as NodeJS.ErrnoException | undefined)?.code, 'ENOENT', tool)
  }
  t.notOk(existsSync(join(installed, 'build')), 'nothing was built')
  const names = readdirSync(join(installed, 'prebuilds', prebuild))
  t.ok(
    names.some(name => name.includes('ggml-cpu')),
    'the CPU backends stand beside the addon',
  )
  const packages = readdirSync(join(project, 'node_modules'))
  for (const name of ['cmake-js', 'node-addon-api', 'node-api-headers', 'tar', 'yargs']) {
    t.notOk(packages.includes(name), `no ${name}`)
  }
})

t.test('a source build has npm fetch cmake-js, at the pinned versions', { skip: windows && 'has no sh' }, async t => {
  const lock = (path: string): Record<string, { version?: string; integrity?: string }> =>
    (JSON.parse(readFileSync(path, 'utf8')) as { packages: Record<string, object> }).packages
  const [ours, theirs] = [root, join(installed, 'scripts', 'source-build')].map(f => lock(join(f, 'package-lock.json')))
  for (const name of ['cmake-js', 'node-addon-api', 'node-api-headers'].map(name => `node_modules/${name}`)) {
    t.ok(theirs?.[name]?.integrity, `${name} has a hash`)
    t.equal(theirs?.[name]?.version, ours?.[name]?.version, `${name} is the one that we develop with`)
  }

  // A CMake that prints its arguments and fails.
  const source = join(folder, 'source')
  cpSync(installed, source, { recursive: true })
  const bin = join(folder, 'fake')
  mkdirSync(bin)
  writeFileSync(join(bin, 'cmake'), '#!/bin/sh\necho "cmake $*"\ncase "$*" in *--version*) exit 0;; esac\nexit 3\n', {
    mode: 0o755,
  })
  const path = [bin, '/usr/bin', '/bin', dirname(process.execPath)].join(delimiter)
  const build = (more: NodeJS.ProcessEnv): string => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/install.mjs'], {
      cwd: source,
      env: { ...env, PATH: path, MOSS_SPEECH_BUILD_FROM_SOURCE: 'true', npm_config_global: 'true', ...more },
      encoding: 'utf8',
    })
    t.equal(status, 1)
    return stdout + stderr
  }
  const offline = build({ npm_config_offline: 'true', npm_config_cache: join(folder, 'empty') })
  t.match(offline, /cmake-js and node-addon-api could not be fetched.*npm install cmake-js@8 node-addon-api@8/)
  const online = build({ npm_config_prefer_offline: 'true' })
  const [, headers = ''] = /-DMOSS_NODE_ADDON_API=([^\s']+)/.exec(online) ?? []
  t.ok(existsSync(join(headers, 'napi.h')), `CMake is told where node-addon-api is: ${headers || online}`)
  rmSync(source, { recursive: true })
})

t.test('types are read in every way of resolution, with ES2020 and all checks', async t => {
  for (const name of ['@types/node', 'undici-types', 'typescript']) {
    const link = join(project, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), link, 'junction')
  }
  const program = `
    import { loadModel, MossSpeechError, writeWav, type Reply, type Speech } from 'moss-speech-native'
    export async function answer(speech: Speech): Promise<Reply> {
      const model = await loadModel('nano', { threads: 1 })
      try {
        const session = model.createSession({ seed: 1 })
        const stream = session.generate({ speech }, { output: 'both' })
        const whole = stream.result()
        for await (const { audio, text } of stream) console.log(audio?.length, text)
        const reply = await whole
        await writeWav('reply.wav', reply.audio, { sampleRate: reply.sampleRate })
        return reply
      } catch (error) {
        if (error instanceof MossSpeechError && error.code === 'MOSS_PROMPT_TOO_LONG') console.log(error.details)
        throw error
      } finally {
        await model.dispose()
      }
    }`
  writeFileSync(join(project, 'use.mts'), program)
  writeFileSync(join(project, 'use.cts'), program)
  writeFileSync(join(project, 'use.ts'), program)
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  for (const [module, resolution, files] of [
    ['node16', 'node16', ['use.mts', 'use.cts']],
    ['esnext', 'bundler', ['use.ts']],
  ] as const) {
    const options = { target: 'es2020', lib: ['es2020'], strict: true, skipLibCheck: false, noEmit: true, types: ['node'] } // prettier-ignore
    const compilerOptions = { ...options, module, moduleResolution: resolution, exactOptionalPropertyTypes: true }
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
    t.equal(node([tsc, '-p', '.'], project, env), '', `${module}, ${resolution}`)
  }
})

t.test('types need no newer compilers', t => {
  const read = new Set<string>()
  const visit = (path: string): void => {
    if (read.has(path)) return
    read.add(path)
    const text = readFileSync(path, 'utf8')
    // Before TypeScript 5.7 arrays and buffers had no type parameter.
    t.notMatch(text, /\b(?:Buffer|DataView|\w+Array)<(?:Shared)?ArrayBuffer/, path)
    for (const [, name = ''] of text.matchAll(/(?:from|import\()\s*'(\.[^']+)\.js'/g))
      visit(join(dirname(path), `${name}.d.ts`))
  }
  visit(join(root, 'dist', 'lib', 'index.d.ts'))
  t.ok(read.size > 20, `${read.size} files are read with the types`)
  t.end()
})

t.test('the programs of the README are programs', async t => {
  const { transpileModule, ModuleKind, ScriptTarget } = await import('typescript')
  const [code = ''] = blocks('README.md', 'js')
  const speech = join(root, 'examples', 'audio', 'seven.flac')
  const program = `function play(audio) { console.log('played', audio.length) }\n${code.replaceAll("'question.wav'", JSON.stringify(speech))}`
  for (const [name, module] of [
    ['readme.mjs', ModuleKind.ESNext],
    ['readme.cjs', ModuleKind.CommonJS],
  ] as const) {
    const whole = module === ModuleKind.CommonJS ? program.replace(/import (\{.*?\}) from '(.*?)'.*/, "const $1 = require('$2')\nmain()\nasync function main() {") + '\n}' : program // prettier-ignore
    // `await using` is newer than the oldest supported Node.
    const { outputText } = transpileModule(whole, { compilerOptions: { module, target: ScriptTarget.ES2022 } })
    writeFileSync(join(project, name), outputText)
    t.match(node([name], project, env), /played \d+/, name)
    t.ok(existsSync(join(project, 'reply.wav')), 'the wav is written')
    rmSync(join(project, 'reply.wav'))
  }
})

t.test('import and require give one copy', async t => {
  writeFileSync(
    join(project, 'one-copy.mjs'),
    `import { createRequire } from 'node:module'
      import { MossSpeechError } from 'moss-speech-native'
      const required = createRequire(import.meta.url)('moss-speech-native')
      if (required.MossSpeechError !== MossSpeechError) throw new Error('two copies')
      console.log('loaded once')`,
  )
  t.match(node(['one-copy.mjs'], project, env), /^loaded once/)
})

t.test('the command and the examples run', async t => {
  const command = join(installed, 'dist', 'bin', 'moss-speech.js')
  t.match(node([command, '--help'], project, env), /Usage: moss-speech/)
  const example = (name: string): string => join(installed, 'examples', name)
  t.match(node([example('worker.mjs')], project, env), /seven → You said seven/)
  t.match(node([example('chat.mjs'), join(installed, 'examples', 'audio', 'seven.flac')], project, env), /reply-1\.wav/)
  t.match(node([example('cascade.mjs')], project, env), /answer\.wav/)
})

/** Answers, speaks and decodes, which needs all files of the package that are not JavaScript. */
const PROGRAM = `
  const model = await loadModel()
  const session = model.createSession({ seed: 1 })
  const { text } = await session.generate({ text: 'seven' }, { output: 'text' }).result()
  const { seconds } = await session.speak('Hello.').result()
  const heard = await session.transcribe(SPEECH)
  await session.dispose()
  await model.dispose()
  console.log('said:', text, seconds > 0.2, heard.units.length > 0)`.replace(
  'SPEECH',
  JSON.stringify(join(root, 'examples', 'audio', 'seven.flac')),
)
const SAID = /^said: You said seven\. true true/

t.test('bundles of esbuild run, or say what is missing', async t => {
  for (const name of ['esbuild', '@esbuild']) {
    symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name), 'junction')
  }
  const program = `import { loadModel } from 'moss-speech-native'\nasync function main() {${PROGRAM}}\nvoid main().catch(error => console.log(error.code, error.message))`
  writeFileSync(join(project, 'app.mjs'), program)
  const builds = blocks('docs/bundling.md', 'js')
  t.equal(builds.length, 3)
  for (const [i, code] of builds.entries()) {
    const [, output = ''] = /outfile: '(.*?)'/.exec(code) ?? []
    writeFileSync(join(project, `build-${i}.mjs`), code)
    node([`build-${i}.mjs`], project, env)
    t.match(node([output], project, env), SAID, `${output} with the package beside it`)
    if (code.includes('external:')) continue
    const alone = join(folder, `alone-${i}`)
    mkdirSync(alone)
    cpSync(join(project, output), join(alone, output.replace('out/', '')))
    const said = node([output.replace('out/', '')], alone, env)
    t.match(said, /^MOSS_ADDON .*--external:moss-speech-native.*docs\/bundling\.md/, `${output} alone`)
  }
})

t.test('runs from an archive of Electron’s, laid out as folders', async t => {
  const resources = join(folder, 'resources')
  const [inside, outside] = ['app.asar', 'app.asar.unpacked'].map(name => join(resources, name)) as [string, string]
  const native = /[\\/]moss-speech-native[\\/](build|models|prebuilds)(?=[\\/]|$)/
  const modules = join(project, 'node_modules')
  cpSync(modules, join(inside, 'node_modules'), { recursive: true, filter: from => !native.test(from) && !/esbuild|typescript|@types/.test(from) }) // prettier-ignore
  writeFileSync(
    join(inside, 'main.js'),
    `const { loadModel } = require('moss-speech-native')\nasync function main() {${PROGRAM}}\nmain().catch(error => console.log(error.code, error.message))`,
  )
  const main = join(inside, 'main.js')
  const packed = node([main], resources, env)
  t.match(packed, /MOSS_(ADDON|MODEL_NOT_FOUND)/, 'nothing is unpacked')
  const to = join(outside, 'node_modules', 'moss-speech-native')
  cpSync(join(installed, 'models'), join(to, 'models'), { recursive: true })
  t.match(node([main], resources, env), /^MOSS_ADDON [^]*asarUnpack/, 'the addon is not unpacked')
  cpSync(join(installed, 'prebuilds'), join(to, 'prebuilds'), { recursive: true })
  t.match(node([main], resources, env), SAID)
})

t.test('makes no buffers outside of V8’s memory, by Node-API 8', async t => {
  const addon = readFileSync(join(installed, 'prebuilds', prebuild, 'moss-speech-native.node'), 'latin1')
  t.ok(addon.includes('napi_create_arraybuffer') || addon.includes('napi_create_typedarray'), 'imports have names')
  t.notMatch(addon, /napi_create_external_(arraybuffer|buffer)/)
  t.match(readFileSync(join(root, 'CMakeLists.txt'), 'utf8'), /NAPI_VERSION=8 /)
})
