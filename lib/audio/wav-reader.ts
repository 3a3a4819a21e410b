import { AudioFormatError } from '../errors.js'
import type { ByteReader } from './source.js'

/** The contents of a wav file's header. */
export interface WavHeader {
  sampleRate: number
  channels: number
  /** How a sample is stored. */
  encoding: SampleEncoding
  /** Where the samples begin, in bytes. */
  dataStart: number
  /** The number of complete frames (one sample for each channel) that the file actually holds. */
  frames: number
  /** Why this number differs from the header, if it does. */
  warning?: string
}

export type SampleEncoding = keyof typeof ENCODINGS

interface Encoding {
  bytes: number
  /** The sample at a byte offset, in [-1, 1] for integers. */
  sample: (view: DataView, offset: number, littleEndian: boolean) => number
}

const ENCODINGS = {
  u8: { bytes: 1, sample: (v, o) => (v.getUint8(o) - 128) / 128 },
  s16: { bytes: 2, sample: (v, o, le) => v.getInt16(o, le) / 0x8000 },
  s24: {
    bytes: 3,
    sample: (v, o, le) =>
      (le ? (v.getInt8(o + 2) << 16) | v.getUint16(o, true) : (v.getInt8(o) << 16) | v.getUint16(o + 1, false)) /
      0x800000,
  },
  s32: { bytes: 4, sample: (v, o, le) => v.getInt32(o, le) / 0x80000000 },
  f32: { bytes: 4, sample: (v, o, le) => v.getFloat32(o, le) },
  f64: { bytes: 8, sample: (v, o, le) => v.getFloat64(o, le) },
  alaw: { bytes: 1, sample: (v, o) => aLaw(v.getUint8(o)) },
  ulaw: { bytes: 1, sample: (v, o) => muLaw(v.getUint8(o)) },
} satisfies Record<string, Encoding>

/** ITU-T G.711 A-law → [-1, 1]. */
function aLaw(code: number): number {
  const bits = code ^ 0x55
  const exponent = (bits >> 4) & 7
  const mantissa = ((bits & 15) << 4) + 8
  const magnitude = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1)
  return (bits & 0x80 ? magnitude : -magnitude) / 0x8000
}

/** ITU-T G.711 µ-law → [-1, 1]. */
function muLaw(code: number): number {
  const bits = ~code & 0xff
  const magnitude = ((((bits & 15) << 3) + 0x84) << ((bits >> 4) & 7)) - 0x84
  return (bits & 0x80 ? -magnitude : magnitude) / 0x8000
}

const FORMAT_EXTENSIBLE = 0xfffe
const FORMAT_NAMES: Record<number, string> = { 2: 'Microsoft ADPCM', 0x11: 'IMA ADPCM', 0x31: 'GSM 6.10', 0x55: 'MP3' }
const UNKNOWN_SIZE = 0xffffffff
/**
 * A larger size than the file's, from this value on, means that the size is unknown: sox and arecord write such numbers
 * to pipes.
 */
const SURELY_UNKNOWN = 0x7ff00000
const MAX_CHUNKS = 10_000

function encodingOf(format: number, bits: number): SampleEncoding {
  const name = `${format}/${bits}`
  const known: Record<string, SampleEncoding> = {
    '1/8': 'u8', '1/16': 's16', '1/24': 's24', '1/32': 's32', '3/32': 'f32', '3/64': 'f64', '6/8': 'alaw', '7/8': 'ulaw',
  } // prettier-ignore
  const encoding = known[name]
  if (encoding) return encoding
  const label = FORMAT_NAMES[format] ?? `format 0x${format.toString(16).padStart(4, '0')} with ${bits} bits a sample`
  throw new AudioFormatError(`wav files with ${label} are not supported; convert it to PCM`, { format, bits })
}

/** A tag of four characters. */
function tag(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4))
}

interface Format {
  sampleRate: number
  channels: number
  encoding: SampleEncoding
}

function parseFormat(bytes: Uint8Array, littleEndian: boolean): Format {
  if (bytes.length < 16) throw new AudioFormatError('damaged wav file: its fmt chunk is too short')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let format = view.getUint16(0, littleEndian)
  const channels = view.getUint16(2, littleEndian)
  const sampleRate = view.getUint32(4, littleEndian)
  const blockAlign = view.getUint16(12, littleEndian)
  const bits = view.getUint16(14, littleEndian)
  if (format === FORMAT_EXTENSIBLE) {
    if (bytes.length < 26) throw new AudioFormatError('damaged wav file: its extensible fmt chunk is too short')
    format = view.getUint16(24, littleEndian) // the first two bytes of the sub-format's GUID
  }
  // Samples of, for instance, 20 bits in a 24-bit container are left-justified, so the size of the container counts.
  const container = channels > 0 && blockAlign % channels === 0 ? (blockAlign / channels) * 8 : bits
  const encoding = encodingOf(format, format === 1 || format === FORMAT_EXTENSIBLE ? container : bits)
  if (channels < 1 || channels > 64) throw new AudioFormatError(`damaged wav file: ${channels} channels`, { channels })
  if (sampleRate < 1000 || sampleRate > 1_000_000) {
    throw new AudioFormatError(`damaged wav file: a sample rate of ${sampleRate} Hz`, { sampleRate })
  }
  if (blockAlign !== channels * ENCODINGS[encoding].bytes) {
    throw new AudioFormatError(`damaged wav file: ${blockAlign} bytes a frame do not fit ${channels} × ${bits} bits`)
  }
  return { sampleRate, channels, encoding }
}

/**
 * Reads only the header of RIFF, RIFX (big-endian), RF64 and BW64 files. A data chunk with an unknown or too large size
 * (of a recording that was streamed or cut off) extends to the end of the file, with a warning if something is missing.
 * Throws {@link AudioFormatError}.
 */
export function readWavHeader(reader: ByteReader): WavHeader {
  const kind = tag(reader.read(0, 12), 0)
  const littleEndian = kind !== 'RIFX'
  let format: Format | undefined
  let longDataSize: number | undefined
  let position = 12
  for (let n = 0; n < MAX_CHUNKS; n++) {
    const head = reader.read(position, 8)
    if (head.length < 8) break
    const id = tag(head, 0)
    const size = new DataView(head.buffer, head.byteOffset, 8).getUint32(4, littleEndian)
    position += 8
    if (id === 'fmt ') format = parseFormat(reader.read(position, Math.min(size, 64)), littleEndian)
    if (id === 'ds64') {
      const ds64 = reader.read(position, 24)
      if (ds64.length === 24)
        longDataSize = Number(new DataView(ds64.buffer, ds64.byteOffset, 24).getBigUint64(8, true))
    }
    if (id === 'data') {
      if (!format) throw new AudioFormatError('damaged wav file: no fmt chunk before the data')
      const long = size === UNKNOWN_SIZE ? longDataSize : undefined
      const present = reader.length - position
      // A program that writes to a pipe cannot know the length in advance, so this deserves no warning.
      const streamed = long === undefined && size >= SURELY_UNKNOWN && size > present
      return withExtent(format, position, streamed ? present : (long ?? size), present)
    }
    position += size + (size % 2)
  }
  throw new AudioFormatError(`damaged wav file: no ${format ? 'data' : 'fmt'} chunk`)
}

function withExtent(format: Format, dataStart: number, declared: number, present: number): WavHeader {
  const frameBytes = format.channels * ENCODINGS[format.encoding].bytes
  const header = { ...format, dataStart, frames: Math.floor(Math.min(declared, present) / frameBytes) }
  // The recorder was stopped before it wrote the size.
  if (declared === 0 && present > 0) {
    return {
      ...header,
      frames: Math.floor(present / frameBytes),
      warning: 'the header does not say how long it is; read to the end',
    }
  }
  if (declared > present) {
    const missing = (declared - present) / frameBytes / format.sampleRate
    return { ...header, warning: `the file is cut off: ${missing.toFixed(2)} s are missing` }
  }
  return header
}

/** The samples, averaged over the channels, in blocks of at most `blockFrames`. */
export function* readWavBlocks(reader: ByteReader, header: WavHeader, blockFrames = 1 << 16): Generator<Float32Array> {
  const { bytes, sample }: Encoding = ENCODINGS[header.encoding]
  const littleEndian = tag(reader.read(0, 4), 0) !== 'RIFX'
  const frameBytes = bytes * header.channels
  for (let first = 0; first < header.frames; first += blockFrames) {
    const frames = Math.min(blockFrames, header.frames - first)
    const block = reader.read(header.dataStart + first * frameBytes, frames * frameBytes)
    const view = new DataView(block.buffer, block.byteOffset, block.byteLength)
    const mono = new Float32Array(Math.floor(block.byteLength / frameBytes))
    for (let i = 0, offset = 0; i < mono.length; i++) {
      let sum = 0
      for (let c = 0; c < header.channels; c++, offset += bytes) sum += sample(view, offset, littleEndian)
      mono[i] = sum / header.channels
    }
    yield mono
  }
}
