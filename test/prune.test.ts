// Removal of attention heads: the pruned file computes what the original computes without them, with all types of
// weights; the heads that contribute least are removed; the command.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadAddon, type NativeDifference, type NativeExercise, type NativeNetwork } from '../dist/lib/binding.js'
import { openGguf } from '../dist/lib/convert/gguf.js'
import type { GgufTensor } from '../dist/lib/convert/gguf-tensor.js'
import { GgufWriter } from '../dist/lib/convert/gguf-writer.js'
import { tensorOf } from '../dist/lib/convert/tensor.js'
import {
  encodeWav,
  loadModel,
  prune,
  type LanguageModelQuality,
  type Pruned,
  type PrunedComponent,
} from '../dist/lib/index.js'
import { CutTensor } from '../dist/lib/prune/cut-tensor.js'
import { chooseHeads, headBlocks, type HeadBlock } from '../dist/lib/prune/heads.js'
import { runCommand } from './helpers/command.js'
import { coded, root, TINY } from './helpers/model.js'

const folder = t.testdir()
const at = (name: string): string => join(folder, name)
const golden = (name: string): string => join(root, 'test', 'golden', name)
const RATE = 16_000

/** A gliding tone with noise. */
function sound(seconds: number, seed: number): Float32Array {
  let state = seed
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  return Float32Array.from({ length: seconds * RATE }, (_, i) => {
    const time = i / RATE
    return (
      0.3 * Math.sin(2 * Math.PI * (150 + 90 * seed * time) * time) * (Math.sin(9 * time) > -0.5 ? 1 : 0.1) +
      0.02 * (random() - 0.5)
    )
  })
}

const WORDS = 'the quick brown fox jumps over the lazy dog while the sun sets behind an old stone bridge'
mkdirSync(at('calibration/more'), { recursive: true })
for (let i = 0; i < 2; i++) writeFileSync(at(`calibration/${i}.wav`), encodeWav(sound(0.7, i + 1)))
for (let i = 0; i < 2; i++) writeFileSync(at(`calibration/more/${i}.txt`), WORDS.slice(3 * i, 3 * i + 40))
writeFileSync(at('calibration/notes.md'), 'not read')
const CALIBRATION = at('calibration')

/** The component with that name. */
function of(pruned: Pruned, name: string): PrunedComponent {
  const found = pruned.components.find(component => component.name === name)
  if (!found) throw new Error(`no ${name}`)
  return found
}

/** A copy of a model in which the columns of the output projections that read certain heads are changed. */
async function changeColumns(
  path: string,
  out: string,
  blocks: readonly { name: string; heads: readonly number[]; of: number }[],
  factor: number,
): Promise<void> {
  const file = openGguf(path)
  const writer = new GgufWriter(out).copyKeys(file)
  for (const tensor of file.tensors.values()) {
    const block = blocks.find(({ name }) =>
      new RegExp(`^${name.replaceAll('.', '\\.')}\\.attn_out(put)?\\.weight$`).test(tensor.name),
    )
    if (!block) {
      writer.add(tensor.name, tensor, tensor.type)
      continue
    }
    const row = tensor.shape.at(-1) ?? 1
    const values = await tensor.read()
    const changed = values.map(
      (value, i) => value * (block.heads.includes(Math.floor((i % row) / (row / block.of))) ? factor : 1),
    )
    writer.add(tensor.name, tensorOf('', tensor.shape, changed), tensor.type)
  }
  await writer.finish()
  file.close()
}

async function difference(
  before: string,
  after: string,
  component: NativeNetwork,
  exercise: NativeExercise,
): Promise<NativeDifference> {
  const [a, b] = await Promise.all([before, after].map(path => loadAddon().loadModel(path, { threads: 1 })))
  try {
    return await a!.compare(component, b!, exercise)
  } finally {
    a?.dispose()
    b?.dispose()
  }
}

const SPEECH: NativeExercise = { samples: sound(1, 9) }
const TURN: NativeExercise = { ...SPEECH, units: Int32Array.of(3, 9, 4), replyIds: Int32Array.of(7, 8) }
const READING: NativeExercise = { textIds: Int32Array.from({ length: 60 }, (_, i) => (i * 37) % 200) }

t.test('a pruned model computes what the whole one does without the removed heads', async t => {
  const cases: [string, NativeNetwork, NativeExercise, number | string][] = [
    ['tiny.gguf', 'encoder', SPEECH, 1],
    ['tiny.gguf', 'lm', TURN, 2],
    ['wav2vec2/base.gguf', 'encoder', SPEECH, 1],
    ['wav2vec2/large.gguf', 'encoder', SPEECH, '50%'],
    ['wav2vec2/data2vec.gguf', 'encoder', SPEECH, 1],
    ['lm-qwen3.gguf', 'lm', READING, 1],
    ['lm-qwen3-bias.gguf', 'lm', READING, 1],
    ['lm-llama.gguf', 'lm', READING, '50%'],
    ['lm-llama-linear.gguf', 'lm', READING, 1],
  ]
  for (const [name, component, exercise, heads] of cases) {
    const out = at('pruned.gguf')
    const result = of(
      await prune(golden(name), out, { heads, components: [component], calibrate: CALIBRATION, threads: 1 }),
      component,
    )
    t.ok(result.headsAfter < result.headsBefore && result.bytesAfter < result.bytesBefore, name)
    const zeroed = at('zeroed.gguf')
    const gone = result.blocks.map(block => ({ name: block.name, heads: block.removed, of: block.kvHeadsBefore }))
    await changeColumns(golden(name), zeroed, gone, 0)
    const found = await difference(zeroed, out, component, exercise)
    t.ok(found.positions > 5, `${found.positions} positions`)
    if (component === 'encoder') {
      t.equal(found.edits, 0)
      t.ok(1 - found.cosine / found.positions < 1e-10, `${name}: cosine ${found.cosine / found.positions}`)
    } else {
      t.ok(found.divergence / found.positions < 1e-5, `${name}: divergence ${found.divergence / found.positions}`)
      t.ok(Math.abs(found.lossAfter - found.lossBefore) / found.positions < 1e-5)
    }
    const original = await difference(golden(name), out, component, exercise)
    t.ok(
      component === 'encoder' ? 1 - original.cosine / original.positions > 1e-6 : original.divergence > 1e-6,
      'it is another model',
    )
  }
})

t.test('a head that adds nothing is removed first, and nothing changes', async t => {
  const idle = at('idle.gguf')
  const blocks = [
    { name: 'encoder.blk.1', heads: [0], of: 2 },
    { name: 'text.blk.0', heads: [1], of: 2 },
  ]
  await changeColumns(TINY, idle, blocks, 0)
  const out = at('without-idle.gguf')
  const result = await prune(idle, out, { heads: 1, calibrate: CALIBRATION, threads: 1 })
  for (const { name, heads } of blocks) {
    const component = of(result, name.startsWith('encoder') ? 'encoder' : 'lm')
    t.same(
      component.blocks.filter(block => block.removed.length > 0).map(block => [block.name, block.removed]),
      [[name, heads]],
    )
    const block = component.blocks.find(b => b.name === name)
    t.equal(block?.contributions[heads[0] ?? 0], 0)
  }
  t.match(of(result, 'encoder').quality, { disagreement: 0 })
  const { crossEntropyBefore, crossEntropyAfter, divergence } = of(result, 'lm').quality as LanguageModelQuality
  t.equal(crossEntropyAfter, crossEntropyBefore)
  t.equal(divergence, 0)
  const replies = []
  for (const path of [idle, out]) {
    const model = await loadModel(path, { threads: 1 })
    const reply = await model
      .createSession({ seed: 1 })
      .generate({ speech: sound(1, 5) }, { temperature: 0, maxSeconds: 1 })
      .result()
    replies.push(reply)
    await model.dispose()
  }
  t.ok(replies[0] && replies[0].audio.length > 0)
  t.same(replies[1]?.units, replies[0]?.units)
  t.equal(Buffer.compare(Buffer.from(replies[1]!.audio.buffer), Buffer.from(replies[0]!.audio.buffer)), 0)
})

t.test('quantized models', async t => {
  const out = at('q8.gguf')
  const result = await prune(golden('tiny-q8_0.gguf'), out, { heads: 2, calibrate: CALIBRATION, threads: 1 })
  const [before, after] = [openGguf(golden('tiny-q8_0.gguf')), openGguf(out)]
  t.teardown(() => [before, after].forEach(file => file.close()))
  const tensor = (file: typeof before, name: string): GgufTensor => {
    const found = file.tensors.get(name)
    if (!found) throw new Error(`no ${name}`)
    return found
  }
  // A head of this encoder has 16 channels, half a block.
  const halved = of(result, 'encoder').blocks.filter(block => block.removed.length > 0)
  t.same(
    result.requantized.map(({ name, type }) => [name, type]),
    halved.map(({ name }) => [`${name}.attn_out.weight`, 'f16']),
  )
  t.match(result.requantized[0]?.reason, /blocks of 32/)
  // A group of two query heads of the language model has 32 channels, so that blocks are copied unchanged.
  for (const block of of(result, 'lm').blocks.filter(({ removed }) => removed.length > 0)) {
    const [kept] = [0, 1].filter(head => !block.removed.includes(head))
    const whole = tensor(before, `${block.name}.attn_output.weight`)
    const part = tensor(after, `${block.name}.attn_output.weight`)
    t.equal(part.type, 'q8_0')
    t.same(part.shape, [32, 32])
    const first = 34 * (kept ?? 0) // bytes of a block; a row has two
    const rows = Array.from({ length: 32 }, (_, row) =>
      whole.readBytes().subarray(68 * row + first, 68 * row + first + 34),
    )
    t.equal(Buffer.compare(Buffer.concat(rows), part.readBytes()), 0, 'blocks are those of the original')
    const q = tensor(after, `${block.name}.attn_q.weight`)
    const half = tensor(before, `${block.name}.attn_q.weight`).readBytes()
    t.equal(Buffer.compare(half.subarray((kept ?? 0) * q.bytes, ((kept ?? 0) + 1) * q.bytes), q.readBytes()), 0)
  }
  const model = await loadModel(out, { threads: 1 })
  t.ok((await model.createSession().generate({ text: 'seven' }, { maxSeconds: 0.3 }).result()).timings.totalMs > 0)
  await model.dispose()
})

t.test('a tensor without some of its columns', async t => {
  const values = Float32Array.from({ length: 4 * 512 }, (_, i) => Math.sin(i))
  await new GgufWriter(at('matrix.gguf'))
    .add('a.weight', tensorOf('', [4, 512], values), 'q4_k')
    .add('b.weight', tensorOf('', [4, 512], values), 'f32')
    .finish()
  const file = openGguf(at('matrix.gguf'))
  t.teardown(() => file.close())
  const [a, b] = [...file.tensors.values()] as [GgufTensor, GgufTensor]
  const second = new CutTensor(a, 1, [[256, 512]])
  t.same(second.shape, [4, 256])
  t.ok(second.whole)
  t.same(await loadAddon().dequantize('q4_k', second.readAs('q4_k')!), await second.read())
  t.equal(second.readAs('q8_0'), undefined)
  const odd = new CutTensor(a, 1, [
    [0, 64],
    [128, 320],
  ])
  t.notOk(odd.whole)
  t.equal(odd.readAs('q4_k'), undefined)
  const all = await a.read()
  t.same([...(await odd.read()).subarray(256, 512)], [...all.subarray(512, 576), ...all.subarray(640, 832)])
  const rows = new CutTensor(b, 0, [
    [0, 1],
    [3, 4],
  ])
  t.same([...(await rows.read())], [...values.subarray(0, 512), ...values.subarray(3 * 512)])
})

t.test('the choice of heads', t => {
  const blocks: HeadBlock[] = [3, 3, 2].map((kvHeads, i) => ({
    name: `blk.${i}`,
    heads: 2 * kvHeads,
    kvHeads,
    size: 8,
  }))
  const contributions = new Map([
    ['blk.0', [0.1, 0.2, 0.3]],
    ['blk.1', [0.9, 0.25, 0.8]],
    ['blk.2', [0.05, 0.04]],
  ])
  const gone = (amount: Parameters<typeof chooseHeads>[2], even = false): (readonly number[])[] =>
    chooseHeads(blocks, contributions, amount, even).map(({ removed }) => removed)
  t.same(gone({ count: 1 }), [[], [], [1]])
  t.same(gone({ share: 0.25 }), [[0], [], [1]])
  t.same(gone({ count: 3 }), [[0, 1], [], [1]], 'a block keeps its last one, though others contribute more')
  t.same(gone({ count: 5 }), [[0, 1], [1, 2], [1]])
  t.throws(() => gone({ count: 6 }), { ...coded('MOSS_INVALID_ARGUMENT'), message: /at most 5 of 8/ })
  t.throws(() => gone({ share: 0.05 }), { ...coded('MOSS_INVALID_ARGUMENT'), message: /less than one of 8/ })
  t.same(gone({ count: 5 }, true), [[0, 1], [1, 2], [1]])
  t.same(gone({ count: 2 }, true), [[0], [1], []], 'two of each are left')
  t.throws(() => gone({ count: 1 }, true), { ...coded('MOSS_INVALID_ARGUMENT'), message: /at least 2 of 8/ })
  t.throws(() => gone({ count: 8 }, true), coded('MOSS_INVALID_ARGUMENT'))
  const single = blocks.map(block => ({ ...block, kvHeads: 1 }))
  const one = new Map(single.map(({ name }) => [name, [1]]))
  t.throws(() => chooseHeads(single, one, { count: 1 }, false), coded('MOSS_UNSUPPORTED'))
  t.end()
})

t.test('keys, and pruning again', async t => {
  const counts = (path: string): Record<string, unknown> => {
    const file = openGguf(path)
    file.close()
    const keys = [...file.metadata].filter(([key]) => /head_count|(key|value)_length$/.test(key))
    return Object.fromEntries(keys.map(([key, { value }]) => [key.replace(/^.*\.(attention\.)?/, ''), value]))
  }
  const [once, twice, even] = [at('once.gguf'), at('twice.gguf'), at('even.gguf')]
  const options = { calibrate: CALIBRATION, threads: 1 }
  const first = of(await prune(golden('lm-llama.gguf'), once, { ...options, heads: 1 }), 'lm')
  const left = first.blocks.map(block => block.kvHeadsAfter)
  t.same([...left].sort(), [1, 2])
  t.match(counts(once), { head_count: left.map(n => 2 * n), head_count_kv: left, key_length: 8, value_length: 8 })
  t.same(
    headBlocks(openGguf(once), 'lm')?.map(({ kvHeads }) => kvHeads),
    left,
  )
  const second = of(await prune(once, twice, { ...options, heads: 1 }), 'lm')
  t.same(
    second.blocks.map(block => block.kvHeadsAfter),
    [1, 1],
  )
  t.match(counts(twice), { head_count: 2, head_count_kv: 1 }, 'one number where all have as many')
  await t.rejects(prune(twice, even, { ...options, heads: 1 }), coded('MOSS_UNSUPPORTED'))
  await prune(golden('lm-llama.gguf'), even, { ...options, heads: '50%', even: true })
  t.match(counts(even), { head_count: 2, head_count_kv: 1, key_length: 8, value_length: 8 })
  const encoder = at('encoder.gguf')
  await prune(golden('wav2vec2/base.gguf'), encoder, { ...options, heads: 1 })
  t.match(counts(encoder), { head_count: Array, key_length: Number })
  t.notOk('head_count_kv' in counts(encoder))
})

t.test('the sentences that come with the package', async t => {
  const { components } = await prune(TINY, at('default.gguf'), { heads: '25%', components: ['encoder'], threads: 2 })
  t.match(components, [{ name: 'encoder', measuredOn: 20, quality: { pieces: 20 }, headsBefore: 4, headsAfter: 3 }])
})

t.test('wrong arguments, sets that do not fit, stopping', async t => {
  const out = at('none.gguf')
  const options = { calibrate: CALIBRATION, threads: 1 }
  const wrong: [string, object, RegExp][] = [
    ['none', {}, /heads must be/],
    ['a number as text', { heads: '25' }, /heads must be/],
    ['nothing', { heads: '0%' }, /heads must be/],
    ['all', { heads: '100%' }, /heads must be/],
    ['half a head', { heads: 1.5 }, /heads must be/],
    ['too many', { heads: '90%' }, /at most 2 of 4/],
    ['too few', { heads: '1%' }, /less than one of 4/],
    ['another component', { heads: 1, components: ['decoder'] }, /one of encoder, lm/],
    ['no component', { heads: 1, components: [] }, /components is empty/],
    ['a misspelled option', { heads: 1, calibration: 'x' }, /there is no option calibration/],
    ['no set', { heads: 1, calibrate: [] }, /calibrate is empty/],
    ['even', { heads: 1, even: 1 }, /even/],
    ['texts for one who has no voice', { heads: 1, calibrate: at('calibration/more') }, /measured on recordings/],
    ['a single recording', { heads: 1, calibrate: at('calibration/0.wav') }, /two recordings or texts/],
    ['no set at all', { heads: 1, calibrate: undefined }, /recordings .* are needed/],
  ]
  for (const [name, more, message] of wrong) {
    const given = { ...options, ...more } as Parameters<typeof prune>[2]
    await t.rejects(
      prune(golden('wav2vec2/base.gguf'), out, given),
      { ...coded('MOSS_INVALID_ARGUMENT'), message },
      name,
    )
  }
  await t.rejects(prune(TINY, TINY, { heads: 1 }), coded('MOSS_INVALID_ARGUMENT'))
  await t.rejects(prune(golden('lm-llama.gguf'), out, { ...options, heads: 1, components: ['encoder'] }), {
    ...coded('MOSS_INVALID_ARGUMENT'),
    message: /no component encoder; it has lm/,
  })
  await t.rejects(prune(golden('lm-llama.gguf'), out, { ...options, heads: 1, calibrate: at('calibration/0.wav') }), {
    message: /measured on texts/,
  })
  await t.rejects(prune(golden('voice-plain.gguf'), out, { ...options, heads: 1 }), coded('MOSS_UNSUPPORTED'))
  await t.rejects(prune(golden('lm-llama.gguf'), out, { heads: 1, calibrate: at('nowhere') }), coded('MOSS_FILE'))
  mkdirSync(at('empty'))
  await t.rejects(prune(golden('lm-llama.gguf'), out, { heads: 1, calibrate: at('empty') }), {
    message: /holds no recording/,
  })
  writeFileSync(at('no.wav'), 'no audio')
  await t.rejects(
    prune(golden('wav2vec2/base.gguf'), out, { heads: 1, calibrate: at('no.wav') }),
    coded('MOSS_AUDIO_FORMAT'),
  )
  await t.rejects(prune(at('nobody.gguf'), out, { ...options, heads: 1 }), coded('MOSS_MODEL_NOT_FOUND'))
  writeFileSync(at('short.gguf'), readFileSync(TINY).subarray(0, 100_000))
  await t.rejects(prune(at('short.gguf'), out, { ...options, heads: 1 }), coded('MOSS_MODEL_FORMAT'))
  writeFileSync(out, 'older')
  for (const stage of ['measure', 'compare']) {
    const controller = new AbortController()
    const onProgress = (progress: { stage: string }): void =>
      progress.stage === stage ? controller.abort() : undefined
    await t.rejects(
      prune(TINY, out, { ...options, heads: 1, signal: controller.signal, onProgress }),
      coded('MOSS_ABORTED'),
    )
    t.equal(readFileSync(out, 'utf8'), 'older', `stopped while it would ${stage}`)
    t.notOk(existsSync(`${out}.part`))
  }
  await t.rejects(
    new GgufWriter(out)
      .add('a', tensorOf('', [1], Float32Array.of(1)), 'f32')
      .finish({ verify: part => Promise.reject(new Error(part)) }),
    { message: `${out}.part` },
  )
  t.equal(readFileSync(out, 'utf8'), 'older')
})

const run = (...args: string[]): ReturnType<typeof runCommand> => runCommand(['prune', ...args])

t.test('the command', async t => {
  t.match(await run('--help'), { code: 0, stdout: /Examples:/ })
  const out = at('cli.gguf')
  const sets = ['--calibrate', CALIBRATION, '--threads', '1']
  const said = await run(TINY, '-o', out, '--heads', '25%', ...sets)
  t.match(said, { code: 0, stderr: '' })
  t.match(said.stdout, /encoder +pieces: measured on 2, compared on 2/)
  t.match(said.stdout, / heads +4 +3\n/)
  t.match(said.stdout, /hidden states, cosine +1 +0\.\d{4} {2}of \d+ frames/)
  t.match(said.stdout, /perplexity +\d+\.\d\d +\d+\.\d\d/)
  t.match(said.stdout, /blk\.\d +4 +2 {2}without group [01]\n/)
  t.match(said.stdout, /wrote .*cli\.gguf\n$/)
  const json = await run(TINY, '-o', out, '--heads', '1', '--component', 'lm', '--json', ...sets)
  t.match(JSON.parse(json.stdout), {
    out,
    components: [{ name: 'lm', headsBefore: 16, headsAfter: 14, quality: { tokens: Number } }],
  })
  const cases: [string[], number, RegExp][] = [
    [[TINY, '-o', out], 2, /required option/],
    [[TINY, '--heads', '1'], 2, /required option/],
    [[TINY, '-o', out, '--heads', 'many'], 2, /It must be a share/],
    [[TINY, '-o', out, '--heads', '200%', ...sets], 2, /heads must be.*\(MOSS_INVALID_ARGUMENT\)/],
    [[TINY, '-o', out, '--heads', '1', '--component', 'nose'], 2, /one of encoder, lm/],
    [[golden('lm-llama.gguf'), '-o', out, '--heads', '1'], 2, /calibrate: recordings .* needed/],
    [[at('nobody.gguf'), '-o', out, '--heads', '1'], 1, /MOSS_MODEL_NOT_FOUND/],
    [[golden('voice-plain.gguf'), '-o', out, '--heads', '1', ...sets], 1, /no heads to remove.*\(MOSS_UNSUPPORTED\)/],
  ]
  for (const [args, exit, message] of cases) {
    const { code, stdout, stderr } = await run(...args)
    t.equal(code, exit, args.join(' '))
    t.match(stderr, message)
    t.equal(stdout, '')
  }
})
