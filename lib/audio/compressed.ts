import { AudioFormatError } from '../errors.js'
import type { ByteReader } from './source.js'

/** The formats that libmpg123, libFLAC, libopus and libvorbis decode, compiled to WebAssembly. */
export type CompressedFormat = 'mp3' | 'flac' | 'opus' | 'vorbis'

/** A block of mono samples of the file, with its rate. */
export interface AudioBlock {
  mono: Float32Array
  sampleRate: number
  channels: number
}

interface Decoded {
  channelData: Float32Array[]
  samplesDecoded: number
  sampleRate: number
  errors: { message: string }[]
}

interface StreamDecoder {
  ready: Promise<void>
  decode(bytes: Uint8Array): Decoded | Promise<Decoded>
  flush?(): Promise<Decoded>
  free(): void | Promise<void>
}

const CHUNK_BYTES = 1 << 16

async function createDecoder(format: CompressedFormat): Promise<StreamDecoder> {
  switch (format) {
    case 'mp3':
      return new (await import('mpg123-decoder')).MPEGDecoder()
    case 'flac':
      return new (await import('@wasm-audio-decoders/flac')).FLACDecoder()
    case 'opus':
      return new (await import('ogg-opus-decoder')).OggOpusDecoder()
    case 'vorbis':
      return new (await import('@wasm-audio-decoders/ogg-vorbis')).OggVorbisDecoder()
  }
}

function toBlock({ channelData, samplesDecoded, sampleRate }: Decoded): AudioBlock {
  const channels = channelData.length
  const mono = new Float32Array(samplesDecoded)
  for (const channel of channelData) {
    for (let i = 0; i < samplesDecoded; i++) mono[i] = (mono[i] ?? 0) + (channel[i] ?? 0) / channels
  }
  return { mono, sampleRate, channels }
}

/** A decoder throws only when it cannot decode the bytes, so its errors mean that the file is damaged. */
async function* orDamaged<T>(results: AsyncGenerator<T>, format: CompressedFormat): AsyncGenerator<T> {
  try {
    yield* results
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new AudioFormatError(`damaged ${format} file: ${reason}`, { format }, { cause })
  }
}

/** Decodes chunk by chunk. Errors from which the decoder could recover are passed to `warn`. */
export async function* readCompressedBlocks(
  reader: ByteReader,
  format: CompressedFormat,
  warn: (message: string) => void,
): AsyncGenerator<AudioBlock> {
  const decoder = await createDecoder(format)
  try {
    await decoder.ready
    const results = async function* (): AsyncGenerator<Decoded> {
      for (let at = 0; at < reader.length; at += CHUNK_BYTES) yield await decoder.decode(reader.read(at, CHUNK_BYTES))
      if (decoder.flush) yield await decoder.flush()
    }
    for await (const decoded of orDamaged(results(), format)) {
      for (const { message } of decoded.errors) warn(message)
      if (decoded.samplesDecoded > 0) yield toBlock(decoded)
    }
  } finally {
    await decoder.free()
  }
}
