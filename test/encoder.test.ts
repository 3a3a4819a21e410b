// Imported speech encoders: conversion of checkpoints, and the transcriptions of a small trained one.
// test/native/wav2vec2_test.cpp compares the numbers with transformers.

import { cp, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { openGguf } from '../dist/lib/convert/gguf.js'
import { convertSource } from '../dist/lib/convert/index.js'
import type { WeightType } from '../dist/lib/convert/weight-types.js'
import {
  encodeWav,
  loadModel,
  type Model,
  type MossSpeechError,
  type Session,
  type Transcript,
  type TranscribeProgress,
} from '../dist/lib/index.js'
import { runCommand } from './helpers/command.js'
import { root, TINY } from './helpers/model.js'
import { renameTensors } from './helpers/safetensors.js'
import { say, type Said } from './helpers/tones.js'

const GOLDEN = resolve(root, 'test', 'golden', 'wav2vec2')
const TONES = resolve(root, 'test', 'golden', 'tones')
const RATE = 16_000
const folder = t.testdir()

async function convert(from: string, name: string, type: WeightType = 'f32'): Promise<string> {
  const out = join(folder, name)
  await convertSource(from, out, type, () => undefined)
  return out
}

/** A copy of a checkpoint with changed fields in a JSON file. */
async function changed(name: string, file: string, fields: Record<string, unknown>): Promise<string> {
  const to = join(folder, `${name}-${Object.keys(fields).join('-')}`)
  await cp(join(GOLDEN, name), to, { recursive: true })
  const old = await readFile(join(to, file), 'utf8').catch(() => '{}')
  await writeFile(join(to, file), JSON.stringify({ ...(JSON.parse(old) as object), ...fields }))
  return to
}

async function withModel(path: string, work: (model: Model) => Promise<void>): Promise<void> {
  const model = await loadModel(path, { threads: 1 })
  try {
    await work(model)
  } finally {
    await model.dispose()
  }
}

/** Compares features with last_hidden_state, as transformers computed it from the same samples (make_wav2vec2.py). */
async function checkFeatures(test: Pick<typeof t, 'same' | 'ok'>, session: Session, name: string): Promise<void> {
  const golden = openGguf(join(GOLDEN, `${name}.golden.gguf`))
  const [samples, hidden] = ['input.samples', 'encoder.hidden'].map(tensor => golden.tensors.get(tensor))
  const { data, frames, size, frameSeconds } = await session.features((await samples?.read()) ?? new Float32Array())
  test.same([frames, size, frameSeconds], [...(hidden?.shape ?? []), 0.02])
  const expected = (await hidden?.read()) ?? new Float32Array()
  golden.close()
  const range = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
  const error = expected.reduce((most, x, i) => Math.max(most, Math.abs(x - (data[i] ?? NaN))), 0)
  // The order of F32 sums differs, as in test/native/wav2vec2_test.cpp.
  test.ok(error <= 1e-4 * range, `${name}: off by ${error} of ${range}`)
}

t.test('every kind of checkpoint', async t => {
  for (const name of ['base', 'large', 'hubert', 'data2vec']) {
    for (const type of ['f32', 'q8_0'] as const) {
      const file = type === 'f32' ? `${name}.gguf` : `${name}-${type}.gguf`
      const made = await readFile(await convert(join(GOLDEN, name), file, type))
      t.ok(
        made.equals(await readFile(join(GOLDEN, file))),
        `${file} is what the native tests compare with transformers`,
      )
    }
  }
})

t.test('other spellings', async t => {
  const large = join(GOLDEN, 'large', 'model.safetensors')
  const other = await changed('large', 'special_tokens_map.json', { unk_token: { content: '<unk>' } })
  await renameTensors(large, join(other, 'model.safetensors'), name =>
    name
      .replace('conv.weight_g', 'conv.parametrizations.weight.original0')
      .replace('conv.weight_v', 'conv.parametrizations.weight.original1'),
  )
  const [a, b] = await Promise.all([readFile(join(GOLDEN, 'large.gguf')), readFile(await convert(other, 'other.gguf'))])
  // Only the name differs.
  t.equal(b.length, a.length)
  const data = a.length - 60_000
  t.ok(a.subarray(data).equals(b.subarray(data)), 'weight norm as newer versions spell it')
})

t.test('an encoder without a head', async t => {
  const bare = await changed('base', 'config.json', { architectures: ['Wav2Vec2Model'] })
  await renameTensors(join(GOLDEN, 'base', 'model.safetensors'), join(bare, 'model.safetensors'), name =>
    name.startsWith('lm_head') ? '' : name.replace('wav2vec2.', ''),
  )
  const file = await convert(bare, 'bare.gguf')
  await withModel(file, async model => {
    t.same(model.info().units, [])
    t.same(
      model.info().components.map(c => c.name),
      ['frontend', 'encoder'],
    )
    const session = model.createSession()
    t.match(session.info(), { path: 'encoder', modes: { length: 0 } })
    await t.rejects(session.transcribe(new Float32Array(RATE)), {
      code: 'MOSS_UNSUPPORTED',
      message: /no CTC head.*session\.features/,
    })
    await checkFeatures(t, session, 'base')
  })
  const lm = resolve(root, 'test', 'golden', 'lm-qwen3.gguf')
  await t.rejects(loadModel({ encoder: file, lm }), { code: 'MOSS_UNSUPPORTED', message: /cannot transcribe/ })
})

t.test('features', async t => {
  for (const name of ['base', 'large', 'hubert', 'data2vec']) {
    await withModel(join(GOLDEN, `${name}.gguf`), model => checkFeatures(t, model.createSession(), name))
  }
  await withModel(join(GOLDEN, 'large.gguf'), async model => {
    const session = model.createSession()
    const { samples } = say(65, 4) // three windows
    const [part, whole] = [await session.features(samples.subarray(0, 10 * RATE)), await session.features(samples)]
    t.equal(whole.frames, Math.floor((samples.length - 400) / 320) + 1, 'every frame, once')
    t.equal(whole.data.length, whole.frames * whole.size)
    t.equal(whole.frameSeconds, model.info().frameSeconds)
    // In the window, attention sees more than in the part. A frame in the wrong place would differ as much as any two
    // frames do.
    const difference = (shift: number): number => {
      let sum = 0
      const count = 400 * whole.size
      for (let i = 0; i < count; i++)
        sum += Math.abs((part.data[i] ?? NaN) - (whole.data[i + shift * whole.size] ?? NaN))
      return sum / count
    }
    t.ok(difference(0) < 0.3 * difference(1), `${difference(0).toFixed(3)}, next frame ${difference(1).toFixed(3)}`)
    const controller = new AbortController()
    const stopped = session.features(say(600, 4).samples, { signal: controller.signal })
    setTimeout(() => controller.abort(), 20)
    await t.rejects(stopped, { code: 'MOSS_ABORTED' })
  })
  const [lm, bundle] = await Promise.all([loadModel(resolve(root, 'test', 'golden', 'lm-qwen3.gguf')), loadModel(TINY)])
  await t.rejects(lm.createSession().features(new Float32Array(RATE)), { code: 'MOSS_UNSUPPORTED' })
  const features = await bundle.createSession().features(say(1, 1).samples)
  t.match(features, { size: bundle.info().featureSize, frameSeconds: 0.02 })
  t.ok(features.frames >= 50)
  await Promise.all([lm.dispose(), bundle.dispose()])
})

t.test('errors name what is not supported', async t => {
  const cases: [string, string, Record<string, unknown>][] = [
    ['base', 'config.json', { add_adapter: true }],
    ['large', 'config.json', { adapter_attn_dim: 16 }],
    ['hubert', 'config.json', { conv_pos_batch_norm: true }],
    ['base', 'config.json', { hidden_act: 'swish' }],
    ['base', 'config.json', { feat_extract_activation: 'mish' }],
    ['base', 'config.json', { feat_extract_norm: 'batch' }],
    ['base', 'preprocessor_config.json', { sampling_rate: 8000 }],
    ['base', 'vocab.json', { eng: { a: 0 }, fra: { b: 0 } }],
  ]
  for (const [name, file, fields] of cases) {
    const flag = file === 'vocab.json' ? 'target_lang' : (Object.keys(fields)[0] ?? '')
    await t.rejects(convert(await changed(name, file, fields), 'none.gguf'), {
      code: 'MOSS_UNSUPPORTED',
      message: new RegExp(flag),
      details: { flag },
    })
  }
})

t.test('errors name what does not match', async t => {
  const cases: [string, Record<string, unknown>, RegExp][] = [
    ['config.json', { hidden_size: 33 }, /feature_projection\.projection\.weight: expected shape \[33, 16\]/],
    ['config.json', { num_hidden_layers: 3 }, /layers\.2\..*no such tensor/],
    ['config.json', { conv_dim: 'many' }, /conv_dim: expected a list/],
    ['config.json', { conv_bias: true }, /conv\.bias/],
    ['config.json', { vocab_size: 12 }, /lm_head\.weight/],
    ['vocab.json', { E: -1 }, /"E": expected an id/],
    ['preprocessor_config.json', { do_normalize: 1 }, /do_normalize/],
  ]
  for (const [file, fields, message] of cases) {
    await t.rejects(convert(await changed('base', file, fields), 'none.gguf'), { code: 'MOSS_MODEL_FORMAT', message })
  }
})

// --- a small encoder that was trained to transcribe tones: make_tones.py

type Checks = Pick<typeof t, 'equal' | 'same'>

function checkWords(t: Checks, heard: Transcript, said: Said): void {
  t.equal(heard.text, said.text)
  t.equal(heard.words?.map(w => w.word).join(' '), said.text)
  const late = (heard.words ?? []).filter((word, i) => {
    const truth = said.words[i]
    return !truth || Math.abs(word.start - truth.start) > 0.15 || Math.abs(word.end - truth.end) > 0.15
  })
  t.same(late, [], 'words begin and end where they were said')
}

t.test('tones are transcribed', async t => {
  for (const type of ['f32', 'f16', 'q8_0'] as const) {
    await withModel(await convert(TONES, `tones-${type}.gguf`, type), async model => {
      const said = say(8, 3)
      const heard = await model.createSession().transcribe(said.samples)
      checkWords(t, heard, said)
      t.equal(heard.language, undefined, 'letters do not tell the language')
      t.match(heard.units[0], { unit: /^[A-H|]$/, start: Number, end: Number })
    })
  }
})

t.test('long audio, in windows', async t => {
  await withModel(join(folder, 'tones-f32.gguf'), async model => {
    t.ok(model.info().maxInputSeconds >= 3600)
    const session = model.createSession()
    const said = say(130, 11) // six windows
    const seen: TranscribeProgress[] = []
    let longest = 0
    let last = performance.now()
    const beat = setInterval(() => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 5)
    const heard = await session.transcribe(said.samples, { onProgress: progress => seen.push(progress) })
    clearInterval(beat)
    checkWords(t, heard, said)
    t.ok(longest < 1000, `the event loop was free (at most ${longest.toFixed(0)} ms)`)
    const seconds = seen.map(p => p.seconds)
    t.equal(seconds.at(-1), 130)
    t.same(
      seconds,
      [...seconds].sort((a, b) => a - b),
    )
    t.ok(seen.every(p => p.total === 130))
    // A quiet and a loud half: the whole recording is normalized, also when it is processed in windows.
    const twice = Float32Array.from(said.samples, x => x * 0.01)
    t.equal((await session.transcribe(twice)).text, said.text)
  })
})

t.test('an abort stops it', async t => {
  await withModel(join(folder, 'tones-f32.gguf'), async model => {
    const session = model.createSession()
    const controller = new AbortController()
    const { samples } = say(1200, 5)
    const work = session.transcribe(samples, { signal: controller.signal, onProgress: () => controller.abort() })
    await t.rejects(work, { code: 'MOSS_ABORTED' })
    const said = say(3, 6)
    let heard: Transcript | undefined
    for (let i = 0; !heard && i < 500; i++) {
      await sleep(10) // busy until the current layer is done
      heard = await session.transcribe(said.samples).catch((error: MossSpeechError) => {
        if (error.code !== 'MOSS_SESSION_BUSY') throw error
        return undefined
      })
    }
    t.equal(heard?.text, said.text, 'the session goes on')
    await t.rejects(session.transcribe(new Float32Array(4 * 3600 * RATE)), { code: 'MOSS_AUDIO_LENGTH' })
    await t.rejects(session.transcribe(said.samples, { onProgress: 1 as never }), { code: 'MOSS_INVALID_ARGUMENT' })
    await t.rejects(session.generate({ text: 'A' }, { output: 'text' }).result(), { code: 'MOSS_UNSUPPORTED' })
  })
})

t.test('the command', async t => {
  const wav = join(folder, 'tones.wav')
  const said = say(4, 9)
  await writeFile(wav, encodeWav(said.samples))
  const run = (...args: string[]): ReturnType<typeof runCommand> => runCommand(['transcribe', wav, ...args])
  const encoder = join(folder, 'tones-q8_0.gguf')
  const { code, stdout: printed, stderr } = await run('--encoder', encoder)
  t.same({ code, printed, stderr }, { code: 0, printed: `${said.text}\n`, stderr: '' })
  const { stdout } = await run('--encoder', encoder, '--json')
  const { text, words, units, ...rest } = JSON.parse(stdout) as Transcript
  t.equal(text, said.text)
  t.equal(words?.length, said.words.length)
  t.ok(units.length >= said.text.length)
  t.same(rest, {})
  t.equal((await run('--encoder', encoder, '--model', encoder)).code, 2)
})
