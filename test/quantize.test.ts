// Conversion of weights to other types, and its rounding errors; the commands `convert` and `quantize`.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadAddon } from '../dist/lib/binding.js'
import { openGguf } from '../dist/lib/convert/gguf.js'
import { GgufWriter } from '../dist/lib/convert/gguf-writer.js'
import { componentOf } from '../dist/lib/convert/quantize.js'
import { tensorOf } from '../dist/lib/convert/tensor.js'
import { blockSize, bytesOf, TENSOR_TYPES, typeId } from '../dist/lib/convert/weight-types.js'
import { loadModel, quantize, type TensorType } from '../dist/lib/index.js'
import { runCommand } from './helpers/command.js'
import { coded, root, TINY } from './helpers/model.js'

const folder = t.testdir()
const at = (name: string): string => join(folder, name)

t.test('the addon and the table of types agree', async t => {
  const addon = loadAddon()
  const values = Float32Array.from({ length: 512 }, (_, i) => Math.cos(0.1 * i))
  for (const type of TENSOR_TYPES) {
    const bytes = await addon.quantize(type, values, 256)
    t.equal(bytes.length, bytesOf(type, 512), type)
    const back = await addon.dequantize(type, bytes)
    t.equal(back.length, 512)
    t.ok(
      back.every((value, i) => Math.abs(value - (values[i] ?? 0)) < 0.5),
      `${type} gives about the same values`,
    )
    if (blockSize(type) > 1)
      await t.rejects(addon.quantize(type, values, blockSize(type) / 2), coded('MOSS_INVALID_ARGUMENT'))
  }
  t.equal(new Set(TENSOR_TYPES.map(typeId)).size, TENSOR_TYPES.length)
  const wrong: [string, () => Promise<unknown>][] = [
    ['a type of no weights', () => addon.quantize('iq2_xxs', values, 256)],
    ['no type', () => addon.quantize(7 as never, values, 256)],
    ['no floats', () => addon.quantize('q8_0', [1, 2] as never, 256)],
    ['no row', () => addon.quantize('q8_0', values, 0)],
    ['a row of NaN', () => addon.quantize('q8_0', values, NaN)],
    ['half a row', () => addon.quantize('q8_0', values.subarray(1), 32)],
    ['NaN', () => addon.quantize('q8_0', Float32Array.of(...new Array<number>(31).fill(0), NaN), 32)],
    ['half a block', () => addon.dequantize('q8_0', new Uint8Array(33))],
    ['no bytes', () => addon.dequantize('q8_0', 'text' as never)],
  ]
  for (const [name, work] of wrong) await t.rejects(async () => work(), coded('MOSS_INVALID_ARGUMENT'), name)
  t.equal((await addon.quantize('q8_0', new Float32Array(0), 32)).length, 0)
})

t.test('a bundle with other types still loads and speaks', async t => {
  const cases: [TensorType | undefined, Record<string, TensorType>][] = [
    ['q8_0', {}],
    ['f16', {}],
    ['bf16', { lm: 'q5_0' }],
    ['q4_0', { decoder: 'f32' }],
    [undefined, { lm: 'q8_0', encoder: 'q4_1' }],
    ['q8_0', { conv: 'q8_0', 'decoder.conv': 'bf16' }],
  ]
  for (const [type, types] of cases) {
    const out = at('bundle.gguf')
    const result = await quantize(TINY, out, { ...(type && { type }), types })
    const model = await loadModel(out)
    const reply = await model.createSession({ seed: 1 }).generate({ text: 'seven' }, { maxSeconds: 0.5 }).result()
    t.ok(reply.audio.length > 0, JSON.stringify([type, types]))
    const lm = model.info().components.find(component => component.name === 'lm')
    t.equal(lm?.types[0]?.toLowerCase(), types.lm ?? type, 'most of it is of the type asked for')
    await model.dispose()
    t.equal(result.bytesAfter, readFileSync(out).length)
    t.equal(result.bytesBefore, readFileSync(TINY).length)
  }
})

for (const name of ['nano', 'feature-decoder']) {
  t.test(`the components of ${name} are those that the addon names`, async t => {
    const model = await loadModel(name === 'nano' ? undefined : join(root, 'test', 'golden', `${name}.gguf`))
    const file = openGguf(model.info().path)
    t.teardown(() => file.close())
    const named = new Map<string, number>()
    for (const { name: tensor, bytes } of file.tensors.values()) {
      named.set(componentOf(tensor), (named.get(componentOf(tensor)) ?? 0) + bytes)
    }
    t.same(named, new Map(model.info().components.map(({ name, bytes }) => [name, bytes])))
    t.ok(named.has(name === 'nano' ? 'vad' : 'generator'))
    await model.dispose()
  })
}

t.test('a decoder with a waveform generator speaks in every type', async t => {
  const source = join(root, 'test', 'golden', 'feature-decoder.gguf')
  const speak = async (path: string): Promise<number> => {
    const model = await loadModel(path)
    const { audio } = await model.createSession({ seed: 1 }).speak('Hello there.').result()
    await model.dispose()
    t.ok(audio.every(Number.isFinite))
    return audio.length
  }
  const length = await speak(source)
  t.ok(length > 0)
  for (const type of ['f16', 'bf16', 'q8_0'] as const) {
    const { exceptions } = await quantize(source, at(`${type}.gguf`), { type, types: { 'generator.conv': type } })
    t.ok(Math.abs((await speak(at(`${type}.gguf`))) / length - 1) < 0.1, type)
    t.ok(
      exceptions.some(({ name }) => name === 'generator.noise_conv.0.weight'),
      'what reads phases stays as it is',
    )
  }
})

t.test('rounding errors are measured', async t => {
  const result = await quantize(TINY, at('q8.gguf'), { type: 'q8_0' })
  for (const { name, relativeError, worst } of result.components) {
    t.ok(relativeError < 0.01, `${name}: ${relativeError}`)
    if (relativeError > 0)
      t.ok((worst?.relativeError ?? 0) >= relativeError, `the worst tensor of ${name} is no better`)
  }
  const lm = result.components.find(({ name }) => name === 'lm')
  t.ok((lm?.relativeError ?? 0) > 1e-4)
  t.ok(lm && lm.bytesAfter < 0.35 * lm.bytesBefore, 'Q8_0 is about a quarter of F32')
  t.ok(
    result.exceptions.some(({ name, reason }) => name === 'encoder.pos_conv.weight' && reason.includes('convolution')),
  )
  t.ok(result.exceptions.some(({ name, reason }) => name === 'decoder.voice.speaker' && reason.includes('table')))

  const again = await quantize(at('q8.gguf'), at('same.gguf'), { type: 'q8_0' })
  t.ok(
    again.components.every(({ relativeError }) => relativeError === 0),
    'nothing changes the second time',
  )
  t.ok(readFileSync(at('same.gguf')).equals(readFileSync(at('q8.gguf'))))
})

t.test('the error of a component is that of its values', async t => {
  const out = at('error.gguf')
  const { components } = await quantize(TINY, out, { type: 'q8_0', types: { lm: 'q4_0' } })
  const [before, after] = [openGguf(TINY), openGguf(out)]
  t.teardown(() => [before, after].forEach(file => file.close()))
  for (const { name, relativeError, worst } of components) {
    const all = { error: 0, energy: 0 }
    let largest = { name: '', relativeError: 0 }
    for (const tensor of before.tensors.values()) {
      const rounded = after.tensors.get(tensor.name)
      if (componentOf(tensor.name) !== name || !rounded || rounded.type === tensor.type) continue
      const [values, others] = [await tensor.read(), await rounded.read()]
      const energy = values.reduce((sum, value) => sum + value ** 2, 0)
      const error = values.reduce((sum, value, i) => sum + (value - (others[i] ?? 0)) ** 2, 0)
      all.energy += energy
      all.error += error
      const own = Math.sqrt(error / energy)
      if (own > largest.relativeError) largest = { name: tensor.name, relativeError: own }
    }
    t.ok(Math.abs(relativeError - Math.sqrt(all.error / all.energy)) < 1e-9, name)
    t.equal(worst?.name, largest.name)
    t.ok(Math.abs((worst?.relativeError ?? 0) - largest.relativeError) < 1e-9)
  }
})

t.test('convolutions', async t => {
  const typesOf = (path: string): Record<string, string> => {
    const file = openGguf(path)
    file.close()
    return Object.fromEntries([...file.tensors.values()].map(({ name, type }) => [name, type]))
  }
  const result = await quantize(TINY, at('conv.gguf'), { types: { conv: 'q8_0', 'decoder.conv': 'bf16' } })
  const types = typesOf(at('conv.gguf'))
  t.match(types, {
    'encoder.pos_conv.weight': 'q8_0',
    'aligner.down.weight': 'q8_0',
    'frontend.conv.1.weight': 'f16',
    'decoder.gen.pre.weight': 'bf16',
    'decoder.gen.cond.weight': 'f32',
    'encoder.blk.0.attn_q.weight': 'f32',
    'decoder.voice.speaker': 'f32',
  })
  t.ok(
    result.fallbacks.some(({ name }) => name === 'frontend.conv.1.weight'),
    'rows that do not fit are named',
  )
  t.same(result.exceptions, [])
  await quantize(at('conv.gguf'), at('kept.gguf'), { type: 'q8_0' })
  t.equal(typesOf(at('kept.gguf'))['encoder.pos_conv.weight'], 'q8_0', 'what is quantized may stay so')
  await quantize(at('conv.gguf'), at('back.gguf'), { type: 'f16' })
  t.equal(typesOf(at('back.gguf'))['encoder.pos_conv.weight'], 'f16')
  for (const wrong of [{ conv: 'q4_0' }, { 'voice.conv': 'q8_0' }] as Record<string, TensorType>[]) {
    await t.rejects(quantize(TINY, at('none.gguf'), { types: wrong }), coded('MOSS_INVALID_ARGUMENT'))
  }
})

t.test('K-quants, and rows that they do not fit', async t => {
  const wave = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(0.3 * i))
  await new GgufWriter(at('rows.gguf'))
    .set('general.architecture', 'qwen3')
    .set('general.alignment', 32)
    .add('blk.0.wide.weight', tensorOf('', [32, 512], wave(32 * 512)), 'f32')
    .add('blk.0.narrow.weight', tensorOf('', [32, 96], wave(32 * 96)), 'f32')
    .add('blk.0.odd.weight', tensorOf('', [32, 33], wave(32 * 33)), 'f32')
    .add('blk.0.few.weight', tensorOf('', [8, 512], wave(8 * 512)), 'f32')
    .add('blk.0.norm.weight', tensorOf('', [512], wave(512)), 'f32')
    .add('voice.speaker.weight', tensorOf('', [64, 512], wave(64 * 512)), 'f32')
    .finish()
  const result = await quantize(at('rows.gguf'), at('k.gguf'), { type: 'q4_k' })
  const file = openGguf(at('k.gguf'))
  t.teardown(() => file.close())
  t.same(Object.fromEntries([...file.tensors.values()].map(({ name, type }) => [name, type])), {
    'blk.0.wide.weight': 'q4_k',
    'blk.0.narrow.weight': 'q5_0',
    'blk.0.odd.weight': 'f16',
    'blk.0.few.weight': 'f32',
    'blk.0.norm.weight': 'f32',
    'voice.speaker.weight': 'f32',
  })
  t.equal(file.metadata.get('general.file_type')?.value, 15)
  t.notOk(file.metadata.has('general.alignment'))
  t.same(
    result.fallbacks.map(({ name, type }) => [name, type]),
    [
      ['blk.0.narrow.weight', 'q5_0'],
      ['blk.0.odd.weight', 'f16'],
      ['blk.0.few.weight', 'f32'],
    ],
  )
  t.equal(result.components.find(({ name }) => name === 'lm')?.worst?.name, 'blk.0.wide.weight')
})

t.test('wrong arguments, damaged files, stopping', async t => {
  const out = at('none.gguf')
  await t.rejects(quantize(TINY, out, {}), coded('MOSS_INVALID_ARGUMENT'))
  await t.rejects(quantize(TINY, TINY, { type: 'q8_0' }), coded('MOSS_INVALID_ARGUMENT'))
  await t.rejects(quantize(TINY, out, { type: 'q9_0' as TensorType }), coded('MOSS_INVALID_ARGUMENT'))
  await t.rejects(quantize(TINY, out, { types: { voice: 'q8_0' } }), {
    ...coded('MOSS_INVALID_ARGUMENT'),
    message: /no component voice; it has frontend, tone, encoder/,
  })
  writeFileSync(at('short.gguf'), readFileSync(TINY).subarray(0, 100_000))
  await t.rejects(quantize(at('short.gguf'), out, { type: 'q8_0' }), coded('MOSS_MODEL_FORMAT'))
  await t.rejects(quantize(at('nobody.gguf'), out, { type: 'q8_0' }), coded('MOSS_FILE'))
  const controller = new AbortController()
  const onProgress = (): void => controller.abort()
  await t.rejects(quantize(TINY, out, { type: 'q8_0', signal: controller.signal, onProgress }), coded('MOSS_ABORTED'))
  t.notOk(existsSync(out))
  t.notOk(existsSync(`${out}.part`))
})

t.test('the commands', async t => {
  for (const command of ['convert', 'pull', 'quantize']) {
    const { code, stdout } = await runCommand([command, '--help'])
    t.equal(code, 0)
    t.match(stdout, /Examples:/)
  }
  const out = at('cli.gguf')
  const said = await runCommand(['quantize', TINY, '-o', out, '--type', 'q8_0', '--type', 'lm=q4_0'])
  t.equal(said.code, 0, said.stderr)
  t.match(said.stdout, /before +after +error/)
  t.match(said.stdout, /^lm +\d.*q4_0/m)
  t.match(said.stdout, /not quantized \(a convolution[^]*wrote .*cli\.gguf/)
  const json = await runCommand(['quantize', TINY, '-o', out, '--type', 'f16', '--json'])
  t.match(JSON.parse(json.stdout), { out, bytesBefore: Number, components: [{ name: 'frontend' }], fallbacks: Array })
  const cases: [string[], number, RegExp][] = [
    [['quantize', TINY, '-o', out], 2, /--type is needed/],
    [['quantize', TINY, '-o', out, '--type', 'q9_0'], 2, /must be one of f32/],
    [['quantize', TINY, '-o', out, '--type', 'nose=q8_0'], 2, /no component nose.*\(MOSS_INVALID_ARGUMENT\)/],
    [['quantize', TINY], 2, /required option/],
    [['convert', TINY, '-o', out], 1, /no supported family.*\n?/],
    [['convert', at('nobody'), '-o', out], 1, /no such file.*\(MOSS_FILE\)/],
    [['convert', TINY, '-o', out, '--type', 'q4_k'], 2, /Allowed choices/],
    [['convert', TINY], 2, /required option/],
  ]
  for (const [args, exit, message] of cases) {
    const { code, stdout, stderr } = await runCommand(args)
    t.equal(code, exit, args.join(' '))
    t.match(stderr, message)
    t.equal(stdout, '')
  }
})
