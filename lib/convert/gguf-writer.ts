import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { loadAddon } from '../binding.js'
import { InvalidArgumentError, ModelFormatError } from '../errors.js'
import { writeAll, writing } from '../files.js'
import {
  alignUp,
  GGUF_ALIGNMENT,
  GGUF_ARRAY,
  GGUF_MAGIC,
  GGUF_TYPES,
  GGUF_VERSION,
  LONGEST_TENSOR_NAME,
  type GgufFile,
  type GgufScalar,
  type GgufType,
  type GgufValue,
} from './gguf.js'
import { elementsOf, shapeText, type SourceTensor } from './tensor.js'
import { blockSize, bytesOf, typeId, type TensorType } from './weight-types.js'

/** A tensor that was written. */
export interface WrittenTensor {
  readonly name: string
  readonly shape: readonly number[]
  /** F32 if F16 was requested and a value was too large for it. */
  readonly type: TensorType
  readonly bytes: number
  /**
   * Sums over the tensor: of the squared values, and of the squared rounding errors. Only if measured, and the tensor
   * was not copied unchanged.
   */
  readonly energy?: number
  readonly error?: number
}

export interface FinishOptions {
  /** Also measures the rounding errors. */
  measure?: boolean
  /** Called before each tensor and at the end, with the numbers of values that are done and in total. */
  onProgress?: (done: number, total: number, tensor: string) => void
  /** Called with the temporary path of the complete file before it gets its name. If it throws, the file is removed. */
  verify?: (part: string) => Promise<void>
}

interface Declared {
  name: string
  tensor: SourceTensor
  type: TensorType
}

const LARGEST_F16 = 65504
/** The number of values that one native call converts. */
const SLAB = 1 << 20
const [U32, I32] = [0xffffffff, 0x7fffffff]

/**
 * Writes a GGUF v3 file. Keys and tensors are declared first; {@link finish} then reads, converts and writes one tensor
 * at a time, so that it takes about as much memory as the largest one. The file is called `path.part` until it is
 * complete.
 */
export class GgufWriter {
  readonly #metadata = new Map<string, { type: GgufType; value: GgufValue }>()
  readonly #tensors = new Map<string, Declared>()

  constructor(readonly path: string) {}

  /**
   * Sets a key. The default types are: booleans and strings as such, `u32` or `i32` for integers, `f32` for other
   * numbers, `u64` or `i64` for bigints, and one type for all elements of an array. An empty array needs a type.
   */
  set(key: string, value: GgufValue, type?: GgufType): this {
    this.#metadata.set(key, { type: type ?? typeFor(key, value), value })
    return this
  }

  /** Copies all keys of another file except for its alignment. */
  copyKeys(file: GgufFile): this {
    for (const [key, { type, value }] of file.metadata) {
      if (key !== 'general.alignment') this.set(key, value, type)
    }
    return this
  }

  /**
   * Declares a tensor, which {@link finish} reads. Rows must be whole blocks of `type`; {@link storageType} chooses
   * such a type.
   */
  add(name: string, tensor: SourceTensor, type: TensorType): this {
    const { shape } = tensor
    const row = shape.at(-1) ?? 1
    const fail = (expected: string, found: string): never => {
      throw new ModelFormatError(`${name}: expected ${expected}, found ${found}`, { name, expected, found })
    }
    if (this.#tensors.has(name)) fail('one tensor of a name', 'two')
    if (name === '' || Buffer.byteLength(name) > LONGEST_TENSOR_NAME) {
      fail(`a name of 1 to ${LONGEST_TENSOR_NAME} bytes`, `${Buffer.byteLength(name)}`)
    }
    if (shape.length > 4 || shape.includes(0)) fail('1 to 4 dimensions, none of them 0', `shape ${shapeText(shape)}`)
    if (row % blockSize(type) !== 0) fail(`rows of a multiple of ${blockSize(type)} for ${type}`, shapeText(shape))
    this.#tensors.set(name, { name, tensor, type })
    return this
  }

  /** The number of declared tensors. */
  get size(): number {
    return this.#tensors.size
  }

  /**
   * Writes the file. If that fails, no partial file is left, and an older file is unchanged.
   *
   * @throws {@link FileError} the disk is full, no permission …; {@link ModelFormatError} a tensor cannot be read or holds NaN
   */
  async finish(options: FinishOptions = {}): Promise<WrittenTensor[]> {
    const part = `${this.path}.part`
    try {
      const file = await writing(this.path, () => open(part, 'w'))
      let written: WrittenTensor[]
      try {
        written = await this.#write(file, options)
        await writing(this.path, () => file.sync())
      } finally {
        await file.close()
      }
      await options.verify?.(part)
      await writing(this.path, () => rename(part, this.path))
      return written
    } catch (thrown) {
      await rm(part, { force: true }).catch(() => undefined)
      throw thrown
    }
  }

  async #write(file: FileHandle, { measure = false, onProgress }: FinishOptions): Promise<WrittenTensor[]> {
    const declared = [...this.#tensors.values()]
    const total = declared.reduce((sum, { tensor }) => sum + elementsOf(tensor.shape), 0)
    // The header is written at the end, because some types are known only after reading the values. Its length does not
    // depend on types and offsets.
    const begin = alignUp(
      this.#header(declared.map(({ name, tensor: { shape }, type }) => ({ name, shape, type, bytes: 0 }))).length,
      GGUF_ALIGNMENT,
    )
    const written: WrittenTensor[] = []
    let position = begin
    let done = 0
    for (const { name, tensor, type } of declared) {
      onProgress?.(done, total, name)
      const result = await this.#writeTensor(file, position, name, tensor, type, measure)
      written.push(result)
      position += alignUp(result.bytes, GGUF_ALIGNMENT)
      done += elementsOf(tensor.shape)
    }
    onProgress?.(done, total, '')
    await writing(this.path, async () => {
      await file.truncate(position)
      await writeAll(file, this.#header(written), 0)
    })
    return written
  }

  async #writeTensor(
    file: FileHandle,
    position: number,
    name: string,
    tensor: SourceTensor,
    wanted: TensorType,
    measure: boolean,
  ): Promise<WrittenTensor> {
    const { shape } = tensor
    const bytes = tensor.readAs?.(wanted)
    if (bytes) {
      await writing(this.path, () => writeAll(file, bytes, position))
      return { name, shape, type: wanted, bytes: bytes.length }
    }
    const values = await tensor.read()
    if (values.length !== elementsOf(shape)) {
      throw new ModelFormatError(`${name}: expected ${elementsOf(shape)} values, found ${values.length}`, { name })
    }
    const { largest, energy } = survey(name, values)
    const type = wanted === 'f16' && largest > LARGEST_F16 ? 'f32' : wanted
    const row = shape.at(-1) ?? 1
    const slab = Math.max(1, Math.floor(SLAB / row)) * row // whole rows, at least one
    let error = 0
    const convert = async (first: number): Promise<{ at: number; bytes: Uint8Array }> => {
      const part = values.subarray(first, first + slab)
      const at = position + bytesOf(type, first)
      if (type === 'f32') return { at, bytes: new Uint8Array(part.buffer, part.byteOffset, part.byteLength) }
      const addon = loadAddon()
      const bytes = await addon.quantize(type, part, row)
      if (measure) {
        const rounded = await addon.dequantize(type, bytes)
        error += squaredError(part, rounded)
      }
      return { at, bytes }
    }
    const width = availableParallelism()
    for (let first = 0; first < values.length; first += slab * width) {
      const starts = Array.from({ length: width }, (_, i) => first + i * slab).filter(start => start < values.length)
      for (const { at, bytes } of await Promise.all(starts.map(convert))) {
        await writing(this.path, () => writeAll(file, bytes, at))
      }
    }
    return { name, shape, type, bytes: bytesOf(type, values.length), ...(measure && { energy, error }) }
  }

  #header(tensors: readonly WrittenTensor[]): Buffer {
    const out = new Fields()
    out.u32(GGUF_MAGIC).u32(GGUF_VERSION).u64(tensors.length).u64(this.#metadata.size)
    for (const [key, { type, value }] of this.#metadata) out.string(key).value(key, type, value)
    let offset = 0
    for (const { name, shape, type, bytes } of tensors) {
      const ne = shape.length > 0 ? [...shape].reverse() : [1]
      out.string(name).u32(ne.length)
      for (const n of ne) out.u64(n)
      out.u32(typeId(type)).u64(offset)
      offset += alignUp(bytes, GGUF_ALIGNMENT)
    }
    return out.bytes()
  }
}

function typeFor(key: string, value: GgufValue): GgufType {
  const all: readonly GgufScalar[] = Array.isArray(value) ? value : [value as GgufScalar]
  const every = (test: (v: GgufScalar) => boolean): boolean => all.length > 0 && all.every(test)
  if (every(v => typeof v === 'boolean')) return 'bool'
  if (every(v => typeof v === 'string')) return 'string'
  if (every(v => typeof v === 'bigint')) return all.some(v => (v as bigint) < 0n) ? 'i64' : 'u64'
  if (every(v => Number.isInteger(v))) {
    const [low, high] = (all as number[]).reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [0, 0])
    if (low >= 0 && high <= U32) return 'u32'
    return low >= -I32 - 1 && high <= I32 ? 'i32' : 'i64'
  }
  if (every(v => typeof v === 'number')) return 'f32'
  throw new InvalidArgumentError(
    `${key}: an array needs ${all.length > 0 ? 'elements of one type' : 'a type when it is empty'}`,
    { option: key },
  )
}

/** Collects the fields of the header. */
class Fields {
  readonly #parts: Buffer[] = []

  #put(size: number, write: (to: Buffer) => unknown): this {
    const part = Buffer.alloc(size)
    write(part)
    this.#parts.push(part)
    return this
  }

  u32(value: number): this {
    return this.#put(4, to => to.writeUInt32LE(value))
  }

  u64(value: number | bigint): this {
    return this.#put(8, to => to.writeBigUInt64LE(BigInt(value)))
  }

  string(text: string): this {
    const bytes = Buffer.from(text, 'utf8')
    this.u64(bytes.length)
    this.#parts.push(bytes)
    return this
  }

  value(key: string, type: GgufType, value: GgufValue): this {
    const array = Array.isArray(value)
    const all: readonly GgufScalar[] = array ? value : [value as GgufScalar]
    if (array) this.u32(GGUF_ARRAY).u32(GGUF_TYPES[type]).u64(all.length)
    else this.u32(GGUF_TYPES[type])
    try {
      for (const scalar of all) this.#scalar(type, scalar)
    } catch (cause) {
      throw new InvalidArgumentError(`${key}: a value does not fit ${type}`, { option: key }, { cause })
    }
    return this
  }

  #scalar(type: GgufType, value: GgufScalar): this {
    if (typeof value !== { bool: 'boolean', string: 'string' }[type as string]) {
      const numeric = type !== 'bool' && type !== 'string' && (typeof value === 'number' || typeof value === 'bigint')
      if (!numeric) throw new TypeError(`${typeof value} is no ${type}`)
    }
    const number = Number(value)
    switch (type) {
      case 'bool': return this.#put(1, to => to.writeUInt8(number))
      case 'string': return this.string(value as string)
      case 'u8': return this.#put(1, to => to.writeUInt8(number))
      case 'i8': return this.#put(1, to => to.writeInt8(number))
      case 'u16': return this.#put(2, to => to.writeUInt16LE(number))
      case 'i16': return this.#put(2, to => to.writeInt16LE(number))
      case 'u32': return this.u32(number)
      case 'i32': return this.#put(4, to => to.writeInt32LE(number))
      case 'f32': return this.#put(4, to => to.writeFloatLE(number))
      case 'f64': return this.#put(8, to => to.writeDoubleLE(number))
      case 'u64': return this.u64(BigInt(value))
      case 'i64': return this.#put(8, to => to.writeBigInt64LE(BigInt(value)))
    }
  } // prettier-ignore

  bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

/** @throws {@link ModelFormatError} for NaN and infinities, which cannot be rounded. */
function survey(name: string, values: Float32Array): { largest: number; energy: number } {
  let largest = 0
  let energy = 0
  for (const value of values) {
    const size = Math.abs(value)
    if (!(size < Infinity)) throw new ModelFormatError(`${name}: expected finite numbers, found ${value}`, { name })
    if (size > largest) largest = size
    energy += size * size
  }
  return { largest, energy }
}

function squaredError(values: Float32Array, rounded: Float32Array): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += ((values[i] ?? 0) - (rounded[i] ?? 0)) ** 2
  return sum
}
