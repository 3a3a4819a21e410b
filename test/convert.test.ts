// Conversion of checkpoint files to GGUF: the file formats, the transformation of tensors, and failures of the writer.

import {
  existsSync,
  mkdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  openSync,
  closeSync,
  ftruncateSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openGguf } from '../dist/lib/convert/gguf.js'
import { GgufWriter } from '../dist/lib/convert/gguf-writer.js'
import { convertSource } from '../dist/lib/convert/index.js'
import type { Converter } from '../dist/lib/convert/converter.js'
import { openOnnx, type OnnxAttribute } from '../dist/lib/convert/onnx.js'
import { openSafetensors, openShards } from '../dist/lib/convert/safetensors.js'
import { openSource } from '../dist/lib/convert/source.js'
import { storageType } from '../dist/lib/convert/storage.js'
import {
  convWeight,
  foldedWeight,
  permute,
  requireTensor,
  reshape,
  tensorOf,
  transposedConvWeight,
  type SourceTensor,
} from '../dist/lib/convert/tensor.js'
import { convert, MossSpeechError } from '../dist/lib/index.js'
import { onnx, rawSafetensors, safetensors } from './helpers/checkpoint.js'
import { coded, TINY } from './helpers/model.js'

const folder = t.testdir()
const at = (name: string): string => join(folder, name)

function put(name: string, bytes: Uint8Array | string): string {
  writeFileSync(at(name), bytes)
  return at(name)
}

const count = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => i)
const wave = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(0.37 * i))

/** Reads all tensors, because errors may only appear then. Returns true if the file is valid, false for a typed error. */
async function readsWhole(open: () => { tensors: ReadonlyMap<string, SourceTensor>; close?: () => void }) {
  try {
    const file = open()
    try {
      for (const tensor of file.tensors.values()) await tensor.read()
    } finally {
      file.close?.()
    }
    return true
  } catch (thrown) {
    if (thrown instanceof MossSpeechError && thrown.code !== 'MOSS_INTERNAL') return false
    throw thrown
  }
}

t.test('a GGUF file holds what was put into it', async t => {
  const path = at('round.gguf')
  const values = wave(6 * 64)
  const writer = new GgufWriter(path)
    .set('general.architecture', 'moss-speech')
    .set('a.bool', true)
    .set('a.u32', 7)
    .set('a.i32', -7)
    .set('a.f32', 0.5)
    .set('a.i64', -(2 ** 40))
    .set('a.u64', 2n ** 63n)
    .set('a.u8', 255, 'u8')
    .set('a.i8', -128, 'i8')
    .set('a.u16', 65535, 'u16')
    .set('a.i16', -32768, 'i16')
    .set('a.f64', Math.PI, 'f64')
    .set('a.whole', 3, 'f32')
    .set('strings', ['_', 'ä', '→', ''])
    .set('ints', [1, 2, 3])
    .set('floats', [1, 2.5])
    .set('bools', [true, false])
    .set('empty', [], 'string')
    .add('matrix', tensorOf('m', [6, 64], values), 'q8_0')
    .add('half', tensorOf('h', [2, 3], count(6)), 'f16')
    .add('brain', tensorOf('b', [3, 2], count(6)), 'bf16')
    .add('odd', tensorOf('o', [5], count(5)), 'f32')
    .add('scalar', tensorOf('s', [], Float32Array.of(42)), 'f32')
    .add('too.large', tensorOf('l', [2], Float32Array.of(1, 1e6)), 'f16')
  const written = await writer.finish({ measure: true })
  t.notOk(existsSync(`${path}.part`))
  t.same(
    written.map(({ name, type }) => [name, type]),
    [
      ['matrix', 'q8_0'],
      ['half', 'f16'],
      ['brain', 'bf16'],
      ['odd', 'f32'],
      ['scalar', 'f32'],
      ['too.large', 'f32'],
    ],
    'what F16 cannot hold is F32',
  )
  const [matrix] = written
  const relative = Math.sqrt((matrix?.error ?? 0) / (matrix?.energy ?? 1))
  t.ok(relative > 1e-4 && relative < 0.01, `Q8_0 costs ${relative}`)

  const file = openGguf(path)
  t.teardown(() => file.close())
  t.equal(file.version, 3)
  t.same(Object.fromEntries([...file.metadata].map(([key, { type, value }]) => [key, [type, value]])), {
    'general.architecture': ['string', 'moss-speech'],
    'a.bool': ['bool', true],
    'a.u32': ['u32', 7],
    'a.i32': ['i32', -7],
    'a.f32': ['f32', 0.5],
    'a.i64': ['i64', -(2 ** 40)],
    'a.u64': ['u64', 2n ** 63n],
    'a.u8': ['u8', 255],
    'a.i8': ['i8', -128],
    'a.u16': ['u16', 65535],
    'a.i16': ['i16', -32768],
    'a.f64': ['f64', Math.PI],
    'a.whole': ['f32', 3],
    strings: ['string', ['_', 'ä', '→', '']],
    ints: ['u32', [1, 2, 3]],
    floats: ['f32', [1, 2.5]],
    bools: ['bool', [true, false]],
    empty: ['string', []],
  })
  const read = (name: string): Promise<Float32Array> => requireTensor(file.tensors, name).read()
  t.same(requireTensor(file.tensors, 'matrix').shape, [6, 64])
  t.same(await read('half'), count(6))
  t.same(await read('brain'), count(6))
  t.same(await read('odd'), count(5))
  t.same(await read('scalar'), Float32Array.of(42))
  t.same(await read('too.large'), Float32Array.of(1, 1e6))
  const rounded = await read('matrix')
  // The step of a block is its largest value / 127. sin reaches 1, so half a step is 0.004.
  t.ok(rounded.every((value, i) => Math.abs(value - (values[i] ?? 0)) <= 0.5 / 127 + 1e-3))
  for (const tensor of file.tensors.values()) t.equal(tensor.position % 32, 0, `${tensor.name} is aligned`)
})

t.test('values that cannot be written are refused, and an older file is kept', async t => {
  const path = put('kept.gguf', 'older')
  const one = tensorOf('x', [4, 32], count(128))
  const cases: [string, () => unknown, string, RegExp][] = [
    ['a block that does not fit', () => new GgufWriter(path).add('x', one, 'q4_k'), 'MOSS_MODEL_FORMAT', /multiple of 256/],
    ['a name twice', () => new GgufWriter(path).add('x', one, 'f32').add('x', one, 'f32'), 'MOSS_MODEL_FORMAT', /found two/],
    ['a long name', () => new GgufWriter(path).add('x'.repeat(64), one, 'f32'), 'MOSS_MODEL_FORMAT', /1 to 63/],
    ['five dimensions', () => new GgufWriter(path).add('x', reshape(one, [1, 1, 1, 1, 128]), 'f32'), 'MOSS_MODEL_FORMAT', /1 to 4 dim/],
    ['an empty array', () => new GgufWriter(path).set('k', []), 'MOSS_INVALID_ARGUMENT', /k: an array needs a type/],
    ['a mixed array', () => new GgufWriter(path).set('k', [1, 'a']), 'MOSS_INVALID_ARGUMENT', /one type/],
    ['a value out of range', () => new GgufWriter(path).set('k', 300, 'u8').finish(), 'MOSS_INVALID_ARGUMENT', /k: .*u8/],
    ['a string for a number', () => new GgufWriter(path).set('k', 'a', 'u8').finish(), 'MOSS_INVALID_ARGUMENT', /k: .*u8/],
    ['NaN', () => new GgufWriter(path).add('n', tensorOf('n', [1], Float32Array.of(NaN)), 'f32').finish(), 'MOSS_MODEL_FORMAT', /n: expected finite/],
    ['too few values', () => new GgufWriter(path).add('n', tensorOf('n', [3], count(2)), 'f32').finish(), 'MOSS_MODEL_FORMAT', /expected 3 values/],
    ['no such folder', () => new GgufWriter(at('no/such/file.gguf')).finish(), 'MOSS_FILE', /cannot write .*no such folder/],
    ['a folder', () => new GgufWriter(folder).finish(), 'MOSS_FILE', /cannot write/],
  ] // prettier-ignore
  for (const [name, work, code, message] of cases) {
    await t.rejects(async () => work(), { ...coded(code), message }, name)
  }
  t.equal(readFileSync(path, 'utf8'), 'older')
  t.notOk(existsSync(`${path}.part`))
})

t.test('a full disk', { skip: !existsSync('/dev/full') && 'there is no /dev/full' }, async t => {
  const { symlinkSync } = await import('node:fs')
  const path = at('full.gguf')
  symlinkSync('/dev/full', `${path}.part`)
  await t.rejects(new GgufWriter(path).add('x', tensorOf('x', [4], count(4)), 'f32').finish(), {
    ...coded('MOSS_FILE'),
    message: /no space left/,
    details: { code: 'ENOSPC', path },
  })
  t.notOk(existsSync(`${path}.part`), 'nothing is left')
  t.notOk(existsSync(path))
})

t.test('malformed GGUF files', async t => {
  const whole = readFileSync(TINY)
  const path = at('hostile.gguf')
  const sound = (bytes: Uint8Array): Promise<boolean> => readsWhole(() => openGguf(put('hostile.gguf', bytes)))
  t.equal(await sound(whole), true)
  const file = openGguf(TINY)
  const first = Math.min(...[...file.tensors.values()].map(tensor => tensor.position))
  file.close()

  // A small file, so that it can be truncated to every length.
  const small = at('small.gguf')
  await new GgufWriter(small)
    .set('general.architecture', 'moss-speech')
    .set('list', ['a', 'b'])
    .set('numbers', [1, 2])
    .add('x', tensorOf('x', [2, 32], count(64)), 'f32')
    .add('y', tensorOf('y', [2, 32], count(64)), 'q8_0')
    .finish()
  const bytes = readFileSync(small)
  t.equal(await sound(bytes), true)
  for (let length = 0; length < bytes.length - 31; length++) {
    if (await sound(bytes.subarray(0, length))) t.fail(`truncated to ${length} of ${bytes.length} bytes`)
  }
  t.pass('no truncated file is sound')

  const patched = (offset: number, value: bigint): Buffer => {
    const copy = Buffer.from(bytes)
    copy.writeBigUInt64LE(value, offset)
    return copy
  }
  const after = (name: string): number => bytes.indexOf(name) + name.length
  const fields: Record<string, number> = {
    'number of tensors': 8,
    'number of keys': 16,
    'length of a key': 24,
    'length of a string': after('general.architecture') + 4,
    'length of a list': after('list') + 8,
    'length of an element': after('list') + 16,
    'length of an array': after('numbers') + 8,
    'length of a tensor’s name': after('numbers') + 4 + 4 + 8 + 8,
    'a dimension': after('numbers') + 4 + 4 + 8 + 8 + 8 + 1 + 4,
    'an offset': after('numbers') + 4 + 4 + 8 + 8 + 8 + 1 + 4 + 16 + 4,
  }
  for (const [name, offset] of Object.entries(fields)) {
    for (const value of [2n ** 60n, 2n ** 64n - 1n, 2n ** 63n, 2n ** 32n, BigInt(bytes.length + 1)]) {
      t.equal(await sound(patched(offset, value)), false, `${name} of ${value}`)
    }
  }
  for (const alignment of [0, 3, 2 ** 31]) {
    const name = at('aligned.gguf')
    await new GgufWriter(name).set('general.alignment', alignment).finish()
    await t.rejects(async () => openGguf(name), { ...coded('MOSS_MODEL_FORMAT'), message: /alignment/ })
  }
  const overlapping = Buffer.from(bytes)
  overlapping.writeBigUInt64LE(0n, bytes.indexOf(Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 0x79])) + 9 + 4 + 16 + 4)
  t.equal(await sound(overlapping), false, 'two tensors at one place')
  t.equal(
    await sound(Buffer.concat([Buffer.from('GGUF'), Buffer.from([1, 0, 0, 0]), bytes.subarray(8)])),
    false,
    'version 1',
  )

  // A sparse file of terabytes: memory for a count must not be allocated before the data is known to exist.
  const sparse = openSync(path, 'w')
  ftruncateSync(sparse, 2 ** 40)
  closeSync(sparse)
  const header = Buffer.alloc(24)
  header.write('GGUF')
  header.writeUInt32LE(3, 4)
  header.writeBigUInt64LE(2n ** 39n, 8)
  header.writeBigUInt64LE(2n ** 39n, 16)
  const handle = openSync(path, 'r+')
  const { writeSync } = await import('node:fs')
  writeSync(handle, header)
  closeSync(handle)
  await t.rejects(async () => openGguf(path), coded('MOSS_MODEL_FORMAT'), 'a sparse file')
  truncateSync(path, 0)

  let loaded = 0
  let state = 1
  const random = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
  for (let round = 0; round < 300; round++) {
    const copy = Buffer.from(whole)
    for (let n = 1 + random(3); n > 0; n--) copy[random(first)] = random(256)
    if (await readsWhole(() => openGguf(put('hostile.gguf', copy)))) loaded++
  }
  t.ok(loaded > 0 && loaded < 300, `${loaded} of 300 damaged headers still read`)
})

t.test('safetensors: every type', async t => {
  const f16 = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff)
  const path = put(
    'types.safetensors',
    safetensors({
      f32: { shape: [2, 2], data: count(4) },
      f64: { dtype: 'F64', shape: [2], data: Float64Array.of(0.5, -2) },
      f16: { dtype: 'F16', shape: [4], data: f16 },
      bf16: { dtype: 'BF16', shape: [2], data: Uint16Array.of(0x3f80, 0xc040) },
      i64: { dtype: 'I64', shape: [2], data: BigInt64Array.of(-5n, 7n) },
      i32: { dtype: 'I32', shape: [1], data: Int32Array.of(-9) },
      i16: { dtype: 'I16', shape: [1], data: Int16Array.of(-300) },
      i8: { dtype: 'I8', shape: [3], data: Int8Array.of(-1, 0, 1) },
      u8: { dtype: 'U8', shape: [1], data: Uint8Array.of(200) },
      f32b: { shape: [], data: Float32Array.of(3) },
      bool: { dtype: 'BOOL', shape: [2], data: Uint8Array.of(0, 1) },
      none: { shape: [0], data: new Float32Array(0) },
    }),
  )
  const file = openSafetensors(path)
  t.teardown(() => file.close())
  const read = async (name: string): Promise<number[]> => [...(await requireTensor(file.tensors, name).read())]
  t.same(await read('f32'), [0, 1, 2, 3])
  t.same(await read('f64'), [0.5, -2])
  t.same(await read('f16'), [1, -2, 2 ** -24, 65504])
  t.same(await read('bf16'), [1, -3])
  t.same(await read('i64'), [-5, 7])
  t.same(await read('i32'), [-9])
  t.same(await read('i16'), [-300])
  t.same(await read('i8'), [-1, 0, 1])
  t.same(await read('u8'), [200])
  t.same(await read('f32b'), [3])
  t.same(await read('bool'), [0, 1])
  t.same(await read('none'), [])
  t.notOk(file.tensors.has('__metadata__'))
  t.throws(() => requireTensor(file.tensors, 'f32', [2, 3]), {
    message: 'f32: expected shape [2, 3], found shape [2, 2]',
  })
  t.equal(requireTensor(file.tensors, 'f32', [-1, 2]).name, 'f32')
  t.throws(() => requireTensor(file.tensors, 'nobody'), { message: /nobody: expected a tensor, found no such tensor/ })
})

t.test('malformed safetensors files', async t => {
  const entry = (begin: number, end: number, shape = [1], dtype = 'F32') => ({
    dtype,
    shape,
    data_offsets: [begin, end],
  })
  const eight = new Uint8Array(8)
  const cases: [string, Buffer, RegExp][] = [
    ['nothing', Buffer.alloc(0), /shorter than a header/],
    ['a header longer than the file', Buffer.from([9, 0, 0, 0, 0, 0, 0, 0, 0x7b]), /does not fit/],
    ['a header of 2^60 bytes', Buffer.from([0, 0, 0, 0, 0, 0, 0, 0x10, 0x7b]), /does not fit/],
    ['no JSON', rawSafetensors('{"x":', eight), /no JSON/],
    ['no object', rawSafetensors('[1]', eight), /no JSON object/],
    ['no entry', rawSafetensors({ x: null }, eight), /x is of type none/],
    ['an unknown type', rawSafetensors({ x: entry(0, 1, [1], 'F8_E4M3') }, eight), /x is of type "F8_E4M3"/],
    ['the type of a prototype', rawSafetensors({ x: entry(0, 1, [1], 'toString') }, eight), /x is of type/],
    ['a negative size', rawSafetensors({ x: entry(0, 4, [-1]) }, eight), /x has no shape/],
    ['a fraction of a size', rawSafetensors({ x: entry(0, 4, [0.5]) }, eight), /x has no shape/],
    ['a product of 2^120', rawSafetensors({ x: entry(0, 4, [2 ** 40, 2 ** 40, 2 ** 40]) }, eight), /do not fit/],
    ['a size that does not fit', rawSafetensors({ x: entry(0, 8) }, eight), /8 bytes do not fit F32/],
    ['offsets the other way', rawSafetensors({ x: entry(4, 0) }, eight), /do not fit/],
    ['no offsets', rawSafetensors({ x: { dtype: 'F32', shape: [1] } }, eight), /no data_offsets/],
    ['an overlap', rawSafetensors({ x: entry(0, 4), y: entry(0, 4) }, eight), /y overlaps|x overlaps/],
    ['half an overlap', rawSafetensors({ x: entry(0, 4), y: entry(2, 6) }, eight), /y overlaps/],
    ['a name twice', rawSafetensors('{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', eight), /belong to no tensor/],
    ['truncated', rawSafetensors({ x: entry(0, 4), y: entry(4, 12, [2]) }, eight), /truncated/],
  ] // prettier-ignore
  for (const [name, bytes, message] of cases) {
    const path = put('hostile.safetensors', bytes)
    await t.rejects(async () => openSafetensors(path), { ...coded('MOSS_MODEL_FORMAT'), message }, name)
  }
  const sound = safetensors({ x: { shape: [3], data: count(3) }, y: { shape: [2], data: count(2) } })
  for (let length = 0; length < sound.length; length++) {
    if (await readsWhole(() => openSafetensors(put('hostile.safetensors', sound.subarray(0, length)))))
      t.fail(`truncated to ${length}`)
  }
})

t.test('shards', async t => {
  const index = (map: unknown): string => put('model.safetensors.index.json', JSON.stringify({ weight_map: map }))
  put('model-1.safetensors', safetensors({ a: { shape: [2], data: count(2) } }))
  put('model-2.safetensors', safetensors({ b: { shape: [3], data: count(3) } }))
  const shards = openShards(index({ a: 'model-1.safetensors', b: 'model-2.safetensors' }))
  t.same([...(await requireTensor(shards.tensors, 'b').read())], [0, 1, 2])
  t.equal(shards.tensors.size, 2)
  shards.close()
  const cases: [string, unknown, RegExp][] = [
    [
      'a shard that is missing',
      { a: 'model-1.safetensors', b: 'model-3.safetensors' },
      /shard model-3.safetensors is missing/,
    ],
    ['a tensor that is missing', { a: 'model-2.safetensors' }, /a is not in model-2/],
    ['a file elsewhere', { a: '../model-1.safetensors' }, /no file beside it/],
    ['no name', { a: 7 }, /no file beside it/],
    ['no map', undefined, /no weight_map/],
  ]
  for (const [name, map, message] of cases) {
    const path = index(map)
    await t.rejects(async () => openShards(path), { ...coded('MOSS_MODEL_FORMAT'), message }, name)
  }
})

t.test('ONNX: weights in every form, nodes, attributes', async t => {
  const raw = Buffer.from(Float32Array.of(1, 2, 3, 4, 5, 6).buffer)
  put('weights.data', Buffer.concat([Buffer.alloc(4), raw]))
  const graph = {
    name: 'main',
    initializer: [
      { name: 'raw', dims: [2, 3], data_type: 1, raw_data: raw },
      { name: 'floats', dims: [2], data_type: 1, float_data: [0.5, -0.5] },
      { name: 'ints', dims: [2], data_type: 7, int64_data: [-1, 9] },
      { name: 'half', dims: [1], data_type: 10, int32_data: [0x3c00] },
      { name: 'double', dims: [1], data_type: 11, double_data: [0.25] },
      { name: 'scalar', dims: [], data_type: 1, float_data: [7] },
      {
        name: 'far',
        dims: [6],
        data_type: 1,
        data_location: 1,
        external_data: [
          { key: 'location', value: 'weights.data' },
          { key: 'offset', value: '4' },
          { key: 'length', value: '24' },
        ],
      },
    ],
    node: [
      { op_type: 'Constant', name: 'c', output: ['constant'], attribute: [{ name: 'value', type: 4, t: { dims: [1], data_type: 1, float_data: [3] } }] },
      {
        op_type: 'Conv', name: '/dec/conv/Conv', input: ['x', 'raw', ''], output: ['y'],
        attribute: [
          { name: 'group', type: 2, i: 4 }, { name: 'pads', type: 7, ints: [1, 2] }, { name: 'alpha', type: 1, f: 0.5 },
          { name: 'mode', type: 3, s: Buffer.from('edge') }, { name: 'scales', type: 6, floats: [1, 2] },
          { name: 'names', type: 8, strings: [Buffer.from('a'), Buffer.from('b')] },
        ],
      },
    ],
    input: [
      { name: 'x', type: { tensor_type: { elem_type: 1, shape: { dim: [{ dim_param: 'batch' }, { dim_value: 3 }, {}] } } } },
      { name: 'raw' },
    ],
    output: [{ name: 'y' }],
  } // prettier-ignore
  const path = put('model.onnx', onnx(graph, { metadata_props: [{ key: 'language', value: 'en' }] }))
  const model = openOnnx(path)
  const read = async (name: string): Promise<number[]> => [...(await requireTensor(model.tensors, name).read())]
  t.same(await read('raw'), [1, 2, 3, 4, 5, 6])
  t.same(requireTensor(model.tensors, 'raw').shape, [2, 3])
  t.same(await read('floats'), [0.5, -0.5])
  t.same(await read('ints'), [-1, 9])
  t.same(await read('half'), [1])
  t.same(await read('double'), [0.25])
  t.same(await read('scalar'), [7])
  t.same(await read('far'), [1, 2, 3, 4, 5, 6])
  t.same(await read('constant'), [3])
  t.same(model.inputs, [{ name: 'x', shape: ['batch', 3, ''] }], 'initializers are no inputs')
  t.same(model.outputs, [{ name: 'y', shape: [] }])
  t.equal(model.producer, 'pytorch 2.1.0')
  t.equal(model.opset, 15)
  t.equal(model.metadata.get('language'), 'en')
  const conv = model.nodes.find(node => node.op === 'Conv')
  t.same(conv?.inputs, ['x', 'raw', ''])
  const attributes = Object.fromEntries(conv?.attributes ?? new Map<string, OnnxAttribute>())
  t.same(attributes, { group: 4, pads: [1, 2], alpha: 0.5, mode: 'edge', scales: [1, 2], names: ['a', 'b'] })

  const bad = (tensor: object): Buffer => onnx({ ...graph, initializer: [{ name: 'w', data_type: 1, ...tensor }] })
  const cases: [string, Buffer, RegExp][] = [
    ['no protobuf', Buffer.from('not a model at all, but a text'), /no protobuf|no graph/],
    ['nothing', Buffer.alloc(0), /no graph/],
    ['cut off', onnx(graph).subarray(0, 100), /cut off/],
    ['too few raw bytes', bad({ dims: [3], raw_data: Buffer.alloc(8) }), /w: 8 bytes do not fit/],
    ['too few values', bad({ dims: [3], float_data: [1] }), /w: 1 values do not fit/],
    ['a negative dimension', bad({ dims: [-1], float_data: [1] }), /w has the shape/],
    ['a product of 2^80', bad({ dims: [2 ** 40, 2 ** 40], float_data: [1] }), /w has the shape/],
    ['a file elsewhere', bad({ dims: [1], data_location: 1, external_data: [{ key: 'location', value: '../../etc/passwd' }] }), /no file beside it/],
    ['a wrong length', bad({ dims: [1], data_location: 1, external_data: [{ key: 'location', value: 'weights.data' }, { key: 'length', value: '99' }] }), /do not fit its shape/],
    ['a name twice', onnx({ ...graph, initializer: [graph.initializer[0], graph.initializer[0]] }), /there twice/],
  ] // prettier-ignore
  for (const [name, bytes, message] of cases) {
    const damaged = put('hostile.onnx', bytes)
    await t.rejects(async () => openOnnx(damaged), { ...coded('MOSS_MODEL_FORMAT'), message }, name)
  }
  put('weights.data', Buffer.alloc(5))
  await t.rejects(
    requireTensor(openOnnx(path).tensors, 'far').read(),
    coded('MOSS_MODEL_FORMAT'),
    'external data cut off',
  )
  const whole = readFileSync(path)
  for (let length = 0; length < whole.length; length += 7) {
    await readsWhole(() => openOnnx(put('hostile.onnx', whole.subarray(0, length)))) // only typed errors
  }
})

t.test('layouts', async t => {
  const tensor = tensorOf('w', [2, 3, 4], count(24))
  t.same((await permute(tensor, [2, 0, 1]).read()).slice(0, 6), [0, 4, 8, 12, 16, 20])
  const conv = convWeight(tensor)
  t.same(conv.shape, [2, 12])
  t.same([...(await conv.read())].slice(0, 6), [0, 4, 8, 1, 5, 9], 'taps, input channel fastest')
  const transposed = transposedConvWeight(tensor)
  t.same(transposed.shape, [3, 8])
  t.same([...(await transposed.read())].slice(0, 4), [0, 12, 1, 13], 'output first, then taps, input fastest')
  t.throws(() => convWeight(tensorOf('v', [2, 3], count(6))), { message: /three dimensions/ })
  t.throws(() => reshape(tensor, [5]), coded('MOSS_MODEL_FORMAT'))
  t.throws(() => permute(tensor, [0, 0, 1]), coded('MOSS_MODEL_FORMAT'))
})

t.test('weight normalization', async t => {
  const v = wave(2 * 3 * 4)
  const all = (g: number[], shape: number[], names: [string, string]): Map<string, SourceTensor> =>
    new Map([
      [`c.${names[0]}`, tensorOf('g', shape, Float32Array.from(g))],
      [`c.${names[1]}`, tensorOf('v', [2, 3, 4], v)],
    ])
  for (const names of [
    ['weight_g', 'weight_v'],
    ['parametrizations.weight.original0', 'parametrizations.weight.original1'],
  ] as [string, string][]) {
    const weight = await foldedWeight(all([2, 3], [2, 1, 1], names), 'c').read()
    for (const [row, g] of [2, 3].entries()) {
      t.ok(
        Math.abs(Math.hypot(...weight.slice(12 * row, 12 * row + 12)) - g) < 1e-5,
        `${names[0]}: row ${row} has norm g`,
      )
    }
    t.ok(Math.abs((weight[1] ?? 0) / (weight[2] ?? 1) - (v[1] ?? 0) / (v[2] ?? 1)) < 1e-5, 'its direction is v’s')
  }
  // Wav2Vec2's positional convolution has one norm for each tap.
  const taps = await foldedWeight(all([1, 2, 3, 4], [1, 1, 4], ['weight_g', 'weight_v']), 'c').read()
  for (let k = 0; k < 4; k++) {
    const column = [...taps].filter((_, i) => i % 4 === k)
    t.ok(Math.abs(Math.hypot(...column) - (k + 1)) < 1e-5, `tap ${k}`)
  }
  t.ok(Math.abs(Math.hypot(...(await foldedWeight(all([5], [], ['weight_g', 'weight_v']), 'c').read())) - 5) < 1e-5)
  t.throws(() => foldedWeight(all([1, 2, 3], [3, 1, 1], ['weight_g', 'weight_v']), 'c'), coded('MOSS_MODEL_FORMAT'))
  t.throws(() => foldedWeight(new Map(), 'c'), { message: /c\.weight: expected a tensor, found no such tensor/ })
  const plain = tensorOf('c.weight', [1], count(1))
  t.equal(foldedWeight(new Map([['c.weight', plain]]), 'c'), plain)
})

t.test('the type in which a tensor is stored', t => {
  t.equal(storageType('matrix', [64, 64], 'q8_0'), 'q8_0')
  t.equal(storageType('matrix', [64, 65], 'q8_0'), 'f16')
  t.equal(storageType('matrix', [31, 64], 'q8_0'), 'f32')
  t.equal(storageType('conv', [64, 64], 'q8_0'), 'f16')
  t.equal(storageType('conv', [64, 64], 'bf16'), 'bf16')
  t.equal(storageType('conv', [64, 64], 'f32'), 'f32')
  t.equal(storageType('table', [64, 64], 'f16'), 'f32')
  t.end()
})

t.test('sources', async t => {
  const dir = (name: string, files: Record<string, string | Uint8Array>): string => {
    mkdirSync(at(name))
    for (const [file, content] of Object.entries(files)) put(join(name, file), content)
    return at(name)
  }
  const weights = safetensors({ w: { shape: [2], data: count(2) } })
  const checkpoint = dir('checkpoint', {
    'config.json': '{"architectures":["FooModel"],"model_type":"foo"}',
    'model.safetensors': weights,
    'vocab.json': '{}',
  })
  const source = openSource(checkpoint)
  t.equal(source.kind, 'safetensors')
  t.match(source.config, { model_type: 'foo' })
  t.ok(source.files.has('vocab.json'))
  source.close()
  const voice = dir('voice', { 'v.onnx': onnx({ node: [{ op_type: 'Add' }] }), 'v.onnx.json': '{"audio":{}}' })
  t.match(openSource(join(voice, 'v.onnx')).config, { audio: {} }, 'a Piper voice’s config stands beside it')
  t.equal(openSource(TINY).gguf?.text('general.architecture'), 'moss-speech')

  const refused: [string, string, string, RegExp][] = [
    ['nothing there', at('nobody'), 'MOSS_FILE', /no such file/],
    ['an empty folder', dir('empty', {}), 'MOSS_UNSUPPORTED', /no checkpoint .*no files/],
    ['other files', dir('other', { 'a.txt': 'a' }), 'MOSS_UNSUPPORTED', /it holds a\.txt/],
    ['a pickle', dir('pickle', { 'pytorch_model.bin': 'PK\x03\x04' }), 'MOSS_UNSUPPORTED', /pickle.*safetensors version/],
    ['a pickle under another name', put('x.safetensors', 'PK\x03\x04...'), 'MOSS_UNSUPPORTED', /pickle/],
    ['an old pickle', put('x.pth', Uint8Array.of(0x80, 2, 0x8a)), 'MOSS_UNSUPPORTED', /pickle/],
    ['two checkpoints', dir('two', { 'a.onnx': '', 'b.onnx': '' }), 'MOSS_UNSUPPORTED', /2 checkpoints.*a\.onnx, b\.onnx/],
    ['a text', put('x.txt', 'text'), 'MOSS_UNSUPPORTED', /no checkpoint of a supported format/],
    ['a config that is no JSON', dir('broken', { 'model.safetensors': weights, 'config.json': '{' }), 'MOSS_MODEL_FORMAT', /config\.json is no JSON/],
  ] // prettier-ignore
  for (const [name, path, code, message] of refused) {
    await t.rejects(async () => openSource(path), { ...coded(code), message }, name)
  }
  await t.rejects(convert(checkpoint, at('foo.gguf')), {
    ...coded('MOSS_UNSUPPORTED'),
    message: /found: a safetensors checkpoint, 1 tensors, architectures FooModel, model_type foo\). Supported:/,
  })
  await t.rejects(convert(TINY, TINY), coded('MOSS_INVALID_ARGUMENT'))
  await t.rejects(convert(TINY, at('x.gguf'), { type: 'q4_k' as 'q8_0' }), coded('MOSS_INVALID_ARGUMENT'))
  await t.rejects(convert('hf:nobody', at('x.gguf')), coded('MOSS_INVALID_ARGUMENT'))

  const double: Converter = {
    name: 'Foo',
    takes: 'a FooModel',
    detect: ({ config }) => (config as { model_type?: string }).model_type === 'foo',
    convert: async ({ tensors }, to, { type }) => {
      const w = requireTensor(tensors, 'w', [2])
      to.set('general.architecture', 'foo').add('w', w, storageType('table', w.shape, type))
    },
  }
  const seen: [number, number, string][] = []
  const made = await convertSource(checkpoint, at('foo.gguf'), 'q8_0', (...step) => seen.push(step), [double])
  t.match(made, { family: 'Foo', tensors: [{ name: 'w', type: 'f32', bytes: 8 }] })
  t.same(seen, [
    [0, 2, 'w'],
    [2, 2, ''],
  ])
  const file = openGguf(at('foo.gguf'))
  t.same(await requireTensor(file.tensors, 'w').read(), count(2))
  file.close()
})
