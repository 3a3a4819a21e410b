import { checkInteger, checkOptions } from '../options.js'
import { SAMPLE_RATE, SAMPLES_AT_ONCE } from './limits.js'
import { openSink, type ByteSink } from './sink.js'

/** Options of {@link writeWav} and {@link WavWriter.open}. */
export interface WavOptions {
  /** Hz, 1000 to 1,000,000. Default 16000. */
  sampleRate?: number
}

const HEADER_BYTES = 44
/** The value of a size field when the size is unknown or does not fit. */
const UNKNOWN_SIZE = 0xffffffff

/** The header for `dataBytes` bytes of 16-bit mono samples. */
function wavHeader(sampleRate: number, dataBytes?: number): Buffer {
  const sayable = dataBytes !== undefined && dataBytes <= UNKNOWN_SIZE - HEADER_BYTES
  const header = Buffer.alloc(HEADER_BYTES)
  header.write('RIFF', 0, 'latin1')
  header.writeUInt32LE(sayable ? HEADER_BYTES - 8 + dataBytes : UNKNOWN_SIZE, 4)
  header.write('WAVEfmt ', 8, 'latin1')
  header.writeUInt32LE(16, 16)
  header.writeUInt16LE(1, 20) // PCM
  header.writeUInt16LE(1, 22) // mono
  header.writeUInt32LE(sampleRate, 24)
  header.writeUInt32LE(sampleRate * 2, 28)
  header.writeUInt16LE(2, 32)
  header.writeUInt16LE(16, 34)
  header.write('data', 36, 'latin1')
  header.writeUInt32LE(sayable ? dataBytes : UNKNOWN_SIZE, 40)
  return header
}

function toPcm16(samples: Float32Array): Buffer {
  const pcm = Buffer.alloc(samples.length * 2)
  for (let i = 0; i < samples.length; i++) {
    pcm.writeInt16LE(Math.max(-0x8000, Math.min(0x7fff, Math.round((samples[i] ?? 0) * 0x7fff))) || 0, 2 * i)
  }
  return pcm
}

function rateOf(options: WavOptions | undefined): number {
  const { sampleRate } = checkOptions('options', options, ['sampleRate'])
  return checkInteger('sampleRate', sampleRate, 1000, 1_000_000) ?? SAMPLE_RATE
}

/** The bytes of a wav file: mono, 16-bit PCM. */
export function encodeWav(samples: Float32Array, options?: WavOptions): Buffer {
  return Buffer.concat([wavHeader(rateOf(options), samples.length * 2), toPcm16(samples)])
}

/** How samples are written: as 16-bit little-endian PCM, with a wav header or without. */
export type SampleFormat = 'wav' | 'pcm_s16le'

/**
 * Writes mono samples to a {@link ByteSink}. A wav header is written before the first samples, with an unknown length;
 * it is corrected at the end if the sink can be rewritten.
 */
export class SampleWriter {
  #bytes = 0
  #begun = false
  #ended = false

  constructor(
    private readonly sink: ByteSink,
    private readonly sampleRate: number,
    private readonly format: SampleFormat,
  ) {}

  /** Written so far. */
  get seconds(): number {
    return this.#bytes / 2 / this.sampleRate
  }

  /** Resolves when the sink has accepted the samples. If that fails, the output is discarded. */
  async write(samples: Float32Array): Promise<void> {
    await this.#orDiscard(async () => {
      await this.#begin()
      for (let i = 0; i < samples.length; i += SAMPLES_AT_ONCE) {
        const pcm = toPcm16(samples.subarray(i, i + SAMPLES_AT_ONCE))
        await this.sink.write(pcm)
        this.#bytes += pcm.length
      }
    })
  }

  /** Completes the file, at its name or at `path`. Returns false if it was closed or discarded before. */
  async close(path?: string): Promise<boolean> {
    if (this.#ended) return false
    await this.#orDiscard(async () => {
      await this.#begin()
      if (this.format === 'wav') await this.sink.rewrite(wavHeader(this.sampleRate, this.#bytes))
    })
    this.#ended = true
    await this.sink.commit(path)
    return true
  }

  /** Discards the output. Idempotent. */
  async discard(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await this.sink.discard()
  }

  async #begin(): Promise<void> {
    if (this.#begun) return
    this.#begun = true
    if (this.format === 'wav') await this.sink.write(wavHeader(this.sampleRate))
  }

  async #orDiscard(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (thrown) {
      await this.discard()
      throw thrown
    }
  }
}

/**
 * Writes a wav file piece by piece: mono, 16-bit PCM.
 *
 *     const writer = await WavWriter.open('reply.wav', { sampleRate: model.info().sampleRate })
 *     for await (const { audio } of session.speak('Hello.')) if (audio) await writer.write(audio)
 *     await writer.close()
 *
 * The file is written as `reply.wav.….part` and gets its name when it is closed; until then an older file of that name
 * is kept. A named pipe or a device gets the samples as they are written, after a header with an unknown length.
 */
export class WavWriter {
  readonly #writer: SampleWriter

  private constructor(writer: SampleWriter) {
    this.#writer = writer
  }

  /** Opens a file, new or to be overwritten, a named pipe (once somebody reads it) or a device. @throws {@link FileError} */
  static async open(path: string, options?: WavOptions): Promise<WavWriter> {
    const rate = rateOf(options)
    return new WavWriter(new SampleWriter(await openSink(path), rate, 'wav'))
  }

  /** Seconds written so far. */
  get seconds(): number {
    return this.#writer.seconds
  }

  /**
   * Appends samples. @throws {@link FileError} the disk is full, the reader of a pipe has closed it, …: the file is
   * discarded, as by {@link discard}
   */
  write(samples: Float32Array): Promise<void> {
    return this.#writer.write(samples)
  }

  /**
   * Completes the file and gives it its name. Idempotent; does nothing if the file was discarded. @throws {@link
   * FileError}
   */
  async close(): Promise<void> {
    await this.#writer.close()
  }

  /** Removes the unfinished file; an older file of that name is kept. Idempotent; does nothing after {@link close}. */
  discard(): Promise<void> {
    return this.#writer.discard()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/**
 * Writes samples, or a stream of chunks, to a wav file: mono, 16-bit PCM. If writing or the stream fails, no file is
 * left, and an older one is kept.
 *
 * @returns the seconds written.
 * @throws {@link FileError}
 */
export async function writeWav(
  path: string,
  audio: Float32Array | Iterable<Float32Array> | AsyncIterable<Float32Array>,
  options?: WavOptions,
): Promise<number> {
  const writer = await WavWriter.open(path, options)
  try {
    if (audio instanceof Float32Array) await writer.write(audio)
    else for await (const chunk of audio) await writer.write(chunk)
    await writer.close()
  } finally {
    await writer.discard()
  }
  return writer.seconds
}
