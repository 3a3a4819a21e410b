import { checkInteger, checkOptions } from '../options.js'
import { SAMPLE_RATE, SAMPLES_AT_ONCE } from './limits.js'
import { openSink, type ByteSink } from './sink.js'

/** Options of {@link writeWav} and {@link WavWriter.open}. */
export interface WavOptions {
  /** Hz, 1000 to 1,000,000. Default 16000. */
  sampleRate?: number
}

const HEADER_BYTES = 44
/** Stands where the size would: it is not known yet, or too large to be said. */
const UNKNOWN_SIZE = 0xffffffff

/** What stands before `dataBytes` bytes of 16-bit mono samples. */
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

/** How samples become bytes: 16-bit little-endian ones, after a wav file's header or alone. */
export type SampleFormat = 'wav' | 'pcm_s16le'

/**
 * Mono samples on their way to a {@link ByteSink}. A header goes before the first of them, without a length; where the sink can, it gets the
 * right one in the end.
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

  /** Resolves when the sink has taken them. Where it cannot, what was written is discarded. */
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

  /** Makes a whole file of what was written, at its place or at `path`. False when there is none: it was closed or discarded before. */
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

  /** Forgets what was written. Idempotent. */
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
 * A wav file that grows: mono, 16-bit PCM.
 *
 *     const writer = await WavWriter.open('reply.wav', { sampleRate: model.info().sampleRate })
 *     for await (const { audio } of session.speak('Hello.')) if (audio) await writer.write(audio)
 *     await writer.close()
 *
 * It is written as `reply.wav.….part` and stands at its place when it is closed: until then an older file of the name is what it was. A
 * named pipe or a device gets the samples as they come, after a header that does not say how many.
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

  /** Appends samples. @throws {@link FileError} the disk is full, a pipe's reader has gone …: the file is given up, as by {@link discard} */
  write(samples: Float32Array): Promise<void> {
    return this.#writer.write(samples)
  }

  /** Completes the file and puts it at its place. Idempotent; does nothing when it was given up. @throws {@link FileError} */
  async close(): Promise<void> {
    await this.#writer.close()
  }

  /** Gives the file up: it goes away, and an older one of the name stays. Idempotent; after {@link close} it does nothing. */
  discard(): Promise<void> {
    return this.#writer.discard()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/**
 * Writes samples, or chunks of them as they come, to a wav file: mono, 16-bit PCM. Where that fails, or the chunks do, there is no file, and
 * an older one stays.
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
