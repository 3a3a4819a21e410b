import { ModelFormatError } from '../errors.js'
import { RandomAccessFile } from './files.js'
import { GgufTensor } from './gguf-tensor.js'
import { bytesOf, blockSize, typeOfId } from './weight-types.js'
import { elementsOf, shapeText } from './tensor.js'

/** GGUF v3: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The writer is in gguf-writer.ts. */

export const GGUF_MAGIC = 0x46554747
export const GGUF_VERSION = 3
export const GGUF_ALIGNMENT = 32
/** The numbers of the types of keys; 9 is an array. */
export const GGUF_TYPES = {
  u8: 0, i8: 1, u16: 2, i16: 3, u32: 4, i32: 5, f32: 6, bool: 7, string: 8, u64: 10, i64: 11, f64: 12,
} as const // prettier-ignore
export const GGUF_ARRAY = 9
/** ggml's limit, without the terminating zero. */
export const LONGEST_TENSOR_NAME = 63

export type GgufType = keyof typeof GGUF_TYPES
/** 64-bit integers are numbers if they can be represented exactly, otherwise bigints. */
export type GgufScalar = number | bigint | boolean | string
export type GgufValue = GgufScalar | readonly GgufScalar[]

/** The value of a key, and its type or that of its elements. */
export interface GgufEntry {
  readonly type: GgufType
  readonly value: GgufValue
}

/** An open GGUF file. Every count, length and offset has been checked against the size of the file. */
export interface GgufFile {
  readonly path: string
  readonly version: number
  readonly metadata: ReadonlyMap<string, GgufEntry>
  /** In the order of the file. */
  readonly tensors: ReadonlyMap<string, GgufTensor>
  /** The string value of a key, or ''. */
  text(key: string): string
  close(): void
}

const SIZES: Record<Exclude<GgufType, 'string'>, number> = {
  u8: 1, i8: 1, u16: 2, i16: 2, u32: 4, i32: 4, f32: 4, bool: 1, u64: 8, i64: 8, f64: 8,
} // prettier-ignore
const LONGEST_KEY = 65535
/** No model has longer strings. Without this limit, a sparse file of terabytes could fill the memory. */
const LONGEST_STRING = 1 << 28
const MOST_ELEMENTS = 1 << 25

const narrow = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value

/** How many bytes of the header are read at a time. */
const WINDOW = 1 << 18

/** Reads the header field by field, a window of the file at a time. */
class Cursor {
  position = 0
  #buffer = Buffer.alloc(WINDOW)
  #window = this.#buffer.subarray(0, 0)
  #start = 0
  #elements = 0

  constructor(private readonly file: RandomAccessFile) {}

  get left(): number {
    return this.file.size - this.position
  }

  /**
   * Skips the next bytes and returns their position in the window. It makes no views, which would be much garbage for
   * the strings of a vocabulary.
   */
  #take(length: number): { window: Buffer; at: number } {
    if (length > this.left) throw this.file.cutOff()
    if (this.position - this.#start + length > this.#window.length) {
      if (length > this.#buffer.length) this.#buffer = Buffer.alloc(length)
      this.#window = this.file.readInto(this.#buffer.subarray(0, this.left), this.position)
      this.#start = this.position
    }
    this.position += length
    return { window: this.#window, at: this.position - length - this.#start }
  }

  u32(): number {
    const { window, at } = this.#take(4)
    return window.readUInt32LE(at)
  }

  /**
   * Reads a count or size. Values larger than the file are refused here, so that all others can be computed with
   * exactly.
   */
  size(what: string, of?: string): number {
    const { window, at } = this.#take(8)
    const value = window.readBigUInt64LE(at)
    if (value > BigInt(this.file.size))
      this.fail(`${of === undefined ? '' : `${of}: `}${what} of ${value} in a file of ${this.file.size} bytes`)
    return Number(value)
  }

  string(what: string): string {
    const length = this.size('a length', what)
    if (length > LONGEST_STRING) this.fail(`${what}: a string of ${length} bytes`)
    const { window, at } = this.#take(length)
    return window.toString('utf8', at, at + length)
  }

  scalar(type: GgufType, what: string): GgufScalar {
    if (type === 'string') return this.string(what)
    const { window, at } = this.#take(SIZES[type])
    switch (type) {
      case 'u8': return window.readUInt8(at)
      case 'i8': return window.readInt8(at)
      case 'u16': return window.readUInt16LE(at)
      case 'i16': return window.readInt16LE(at)
      case 'u32': return window.readUInt32LE(at)
      case 'i32': return window.readInt32LE(at)
      case 'f32': return window.readFloatLE(at)
      case 'f64': return window.readDoubleLE(at)
      case 'u64': return narrow(window.readBigUInt64LE(at))
      case 'i64': return narrow(window.readBigInt64LE(at))
      case 'bool': {
        const value = window.readUInt8(at)
        if (value > 1) this.fail(`${what}: a boolean of ${value}`)
        return value === 1
      }
    }
  } // prettier-ignore

  type(what: string): GgufType | 'array' {
    const id = this.u32()
    if (id === GGUF_ARRAY) return 'array'
    const found = (Object.keys(GGUF_TYPES) as GgufType[]).find(type => GGUF_TYPES[type] === id)
    return found ?? this.fail(`${what}: a value of unknown type ${id}`)
  }

  entry(what: string): GgufEntry {
    const type = this.type(what)
    if (type !== 'array') return { type, value: this.scalar(type, what) }
    const element = this.type(what)
    if (element === 'array') return this.fail(`${what}: an array of arrays`)
    const count = this.size('a length', what)
    const smallest = element === 'string' ? 8 : SIZES[element]
    if (count * smallest > this.left) throw this.file.cutOff()
    this.#elements += count
    if (this.#elements > MOST_ELEMENTS) this.fail(`${what}: more than ${MOST_ELEMENTS} elements in arrays`)
    return { type: element, value: Array.from({ length: count }, () => this.scalar(element, what)) }
  }

  fail(why: string): never {
    const { path } = this.file
    throw new ModelFormatError(`${path}: not a valid GGUF file: ${why}`, { path, reason: why })
  }
}

/**
 * Opens a GGUF file (version 2 or 3, little-endian) and reads its header; tensors are read on demand. Blocks while it
 * reads: to be used in worker threads.
 *
 * @throws {@link ModelFormatError} names what is wrong; {@link FileError}
 */
export function openGguf(path: string): GgufFile {
  const file = new RandomAccessFile(path)
  try {
    return readHeader(file)
  } catch (thrown) {
    file.close()
    throw thrown
  }
}

/** Reads the keys of a GGUF file without checking its tensors. Blocks; throws like {@link openGguf}. */
export function readGgufKeys(path: string): ReadonlyMap<string, GgufEntry> {
  const file = new RandomAccessFile(path)
  try {
    return readKeys(new Cursor(file)).metadata
  } finally {
    file.close()
  }
}

function readKeys(cursor: Cursor) {
  if (cursor.left < 4 || cursor.u32() !== GGUF_MAGIC) cursor.fail('it does not begin with GGUF')
  const version = cursor.u32()
  if (version !== 2 && version !== GGUF_VERSION) cursor.fail(`version ${version}; 2 and 3 are read, little-endian`)
  const tensorCount = cursor.size('a number of tensors')
  const keyCount = cursor.size('a number of keys')

  const metadata = new Map<string, GgufEntry>()
  for (let i = 0; i < keyCount; i++) {
    const key = cursor.string(`key ${i}`)
    if (key === '' || key.length > LONGEST_KEY) cursor.fail(`key ${i} has a name of ${key.length} characters`)
    if (metadata.has(key)) cursor.fail(`key ${key} is there twice`)
    metadata.set(key, cursor.entry(key))
  }
  return { version, tensorCount, metadata }
}

function readHeader(file: RandomAccessFile): GgufFile {
  const cursor = new Cursor(file)
  const { version, tensorCount, metadata } = readKeys(cursor)
  const alignment = metadata.get('general.alignment')?.value ?? GGUF_ALIGNMENT
  if (typeof alignment !== 'number' || !isPowerOfTwo(alignment)) {
    return cursor.fail('general.alignment is no power of two')
  }

  const infos = []
  for (let i = 0; i < tensorCount; i++) infos.push(readTensorInfo(cursor, i))
  const begin = alignUp(cursor.position, alignment)
  const tensors = new Map<string, GgufTensor>()
  for (const { name, type, shape, offset } of infos) {
    const bytes = bytesOf(type, elementsOf(shape))
    if (offset % alignment !== 0) cursor.fail(`tensor ${name}: its offset ${offset} is no multiple of ${alignment}`)
    if (bytes > file.size - begin - offset) cursor.fail(`truncated: tensor ${name} ends after the file`)
    if (tensors.has(name)) cursor.fail(`tensor ${name} is there twice`)
    tensors.set(name, new GgufTensor(file, name, shape, type, begin + offset, bytes))
  }
  refuseOverlaps([...tensors.values()], cursor)
  return {
    path: file.path,
    version,
    metadata,
    tensors,
    text: key => {
      const value = metadata.get(key)?.value
      return typeof value === 'string' ? value : ''
    },
    close: () => file.close(),
  }
}

function readTensorInfo(cursor: Cursor, index: number) {
  const name = cursor.string(`tensor ${index}`)
  if (name === '' || Buffer.byteLength(name) > LONGEST_TENSOR_NAME) {
    cursor.fail(`tensor ${index} has a name of ${name.length} characters, not 1 to ${LONGEST_TENSOR_NAME}`)
  }
  const dimensions = cursor.u32()
  if (dimensions < 1 || dimensions > 4) cursor.fail(`tensor ${name} has ${dimensions} dimensions, not 1 to 4`)
  const ne = Array.from({ length: dimensions }, () => cursor.size(`tensor ${name}: a dimension`))
  const id = cursor.u32()
  const type = typeOfId(id) ?? cursor.fail(`tensor ${name} is of type ${id}, which is not read here`)
  const shape = [...ne].reverse()
  const [row = 0] = ne
  if (ne.includes(0)) cursor.fail(`tensor ${name} of shape ${shapeText(shape)} is empty`)
  if (row % blockSize(type) !== 0) cursor.fail(`tensor ${name}: rows of ${row} are no multiple of ${blockSize(type)}`)
  return { name, type, shape, offset: cursor.size(`tensor ${name}: an offset`) }
}

function refuseOverlaps(tensors: GgufTensor[], cursor: Cursor): void {
  tensors.sort((a, b) => a.position - b.position)
  for (const [i, tensor] of tensors.entries()) {
    const next = tensors[i + 1]
    if (next && tensor.position + tensor.bytes > next.position) {
      cursor.fail(`tensors ${tensor.name} and ${next.name} overlap`)
    }
  }
}

const isPowerOfTwo = (n: number): boolean => Number.isInteger(n) && n > 0 && n <= 1 << 30 && (n & (n - 1)) === 0

export const alignUp = (position: number, alignment: number): number => Math.ceil(position / alignment) * alignment
