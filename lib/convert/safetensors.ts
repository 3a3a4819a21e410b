import { basename, dirname, join } from 'node:path'
import { ModelFormatError } from '../errors.js'
import { bytesOfDtype, decodeValues, DTYPES } from './dtype.js'
import { RandomAccessFile } from './files.js'
import { elementsOf, shapeText, type SourceTensor } from './tensor.js'

/** https://github.com/huggingface/safetensors#format: the length of a JSON header, the header, the values. */

/** The format's own limit. */
const LONGEST_HEADER = 100_000_000

/** Open checkpoint files. */
export interface Safetensors {
  readonly tensors: Map<string, SourceTensor>
  close(): void
}

interface Entry {
  name: string
  dtype: string
  shape: number[]
  begin: number
  end: number
}

/**
 * Opens one file. Blocks while it reads: to be used in worker threads.
 *
 * @throws {@link ModelFormatError} names the tensor, what was expected and what was found; {@link FileError}
 */
export function openSafetensors(path: string): Safetensors {
  const file = new RandomAccessFile(path)
  try {
    const { entries, data } = readHeader(file)
    const tensors = entries.map(({ name, dtype, shape, begin, end }): SourceTensor => {
      const read = (): Promise<Float32Array> =>
        Promise.resolve(decodeValues(dtype, file.read(data + begin, end - begin)))
      return { name, shape, dtype, read }
    })
    return { tensors: new Map(tensors.map(tensor => [tensor.name, tensor])), close: () => file.close() }
  } catch (thrown) {
    file.close()
    throw thrown
  }
}

/**
 * Opens the files that an index (`model.safetensors.index.json`) names, in the same folder.
 *
 * @throws {@link ModelFormatError} a file or tensor that it names is missing; {@link FileError}
 */
export function openShards(indexPath: string): Safetensors {
  const index = new RandomAccessFile(indexPath)
  let map: unknown
  try {
    map = (parseObject(index.read(0, Math.min(index.size, LONGEST_HEADER)), indexPath) as { weight_map?: unknown })
      .weight_map
  } finally {
    index.close()
  }
  const names = typeof map === 'object' && map !== null ? Object.entries(map as Record<string, unknown>) : []
  if (names.length === 0) throw unsound(indexPath, 'it has no weight_map')
  const shards = new Map<string, Safetensors>()
  const close = (): void => shards.forEach(shard => shard.close())
  const tensors = new Map<string, SourceTensor>()
  try {
    for (const [name, shard] of names) {
      if (typeof shard !== 'string' || shard !== basename(shard) || shard === '..' || shard.includes('\\')) {
        throw unsound(indexPath, `${name} is in ${JSON.stringify(shard)}, which is no file beside it`)
      }
      const opened = shards.get(shard) ?? openShard(indexPath, shard)
      shards.set(shard, opened)
      const tensor = opened.tensors.get(name)
      if (!tensor) throw unsound(indexPath, `${name} is not in ${shard}`)
      tensors.set(name, tensor)
    }
  } catch (thrown) {
    close()
    throw thrown
  }
  return { tensors, close }
}

function openShard(indexPath: string, shard: string): Safetensors {
  try {
    return openSafetensors(join(dirname(indexPath), shard))
  } catch (thrown) {
    const code = (thrown as { details?: { code?: unknown } }).details?.code
    if (code !== 'ENOENT') throw thrown
    throw unsound(indexPath, `the shard ${shard} is missing; get the whole checkpoint`, { cause: thrown })
  }
}

function readHeader(file: RandomAccessFile): { entries: Entry[]; data: number } {
  if (file.size < 8) throw unsound(file.path, 'it is shorter than a header')
  const length = file.read(0, 8).readBigUInt64LE()
  if (length > BigInt(Math.min(file.size - 8, LONGEST_HEADER))) {
    throw unsound(file.path, `its header of ${length} bytes does not fit (the file has ${file.size})`)
  }
  const data = 8 + Number(length)
  const header = parseObject(file.read(8, Number(length)), file.path)
  const entries = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => checkedEntry(file.path, name, value))
    .sort((a, b) => a.begin - b.begin || a.end - b.end)
  // The format allows no gaps between tensors: a gap, or an overlap, means that the header is wrong.
  let position = 0
  for (const { name, begin, end } of entries) {
    if (begin < position) throw unsound(file.path, `${name} overlaps the tensor before it`)
    if (begin > position) throw unsound(file.path, `bytes ${position} to ${begin} before ${name} belong to no tensor`)
    position = end
  }
  if (position > file.size - data) {
    throw unsound(file.path, `truncated: its tensors need ${position} bytes, the file has ${file.size - data}`)
  }
  return { entries, data }
}

function checkedEntry(path: string, name: string, value: unknown): Entry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>
  const isSize = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0
  const size = typeof dtype === 'string' ? bytesOfDtype(dtype) : undefined
  if (typeof dtype !== 'string' || size === undefined) {
    throw unsound(path, `${name} is of type ${JSON.stringify(dtype) ?? 'none'}; read are ${DTYPES.join(', ')}`)
  }
  if (!Array.isArray(shape) || !shape.every(isSize)) throw unsound(path, `${name} has no shape`)
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw unsound(path, `${name} has no data_offsets`)
  }
  const [begin = 0, end = 0] = offsets
  if (end - begin !== elementsOf(shape) * size) {
    throw unsound(path, `${name}: ${end - begin} bytes do not fit ${dtype} of shape ${shapeText(shape)}`)
  }
  return { name, dtype, shape, begin, end }
}

function parseObject(bytes: Buffer, path: string): object {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch (cause) {
    throw unsound(path, 'its header is no JSON', { cause })
  }
  throw unsound(path, 'its header is no JSON object')
}

function unsound(path: string, reason: string, options?: ErrorOptions): ModelFormatError {
  return new ModelFormatError(`${path}: not a valid safetensors checkpoint: ${reason}`, { path, reason }, options)
}
