import { AudioFormatError, AudioLengthError, MossSpeechError } from '../errors.js'
import { readCompressedBlocks, type AudioBlock, type CompressedFormat } from './compressed.js'
import { concat } from './concat.js'
import { MIN_SECONDS, SAMPLE_RATE } from './limits.js'
import { createResampler, type Resampler } from './resample.js'
import { openSource, type AudioSource, type ByteReader } from './source.js'
import { readWavBlocks, readWavHeader } from './wav-reader.js'

export type { AudioSource } from './source.js'

/** What {@link decodeAudio} returns. */
export interface DecodedAudio {
  /** Mono, 16 kHz. */
  samples: Float32Array
  format: 'wav' | CompressedFormat
  /** The sample rate of the file, in Hz. */
  sampleRate: number
  /** The number of channels in the file, which are averaged. */
  channels: number
  /** A defect of the file that could nevertheless be read. */
  warning?: string
}

const LARGEST = 32

/** Seconds with up to two decimals below 100 s, otherwise whole seconds. */
const spoken = (seconds: number): string => String(Number(seconds.toFixed(seconds < 100 ? 2 : 0)))

function tooLong(seconds: number | undefined, limit: number): AudioLengthError {
  const length = seconds === undefined ? `more than ${spoken(limit)}` : spoken(seconds)
  return new AudioLengthError(`the audio is ${length} s long; the limit is ${spoken(limit)} s`, { seconds, limit })
}

/** Adds the name of the file to the message of an error. */
function inFile(path: string, thrown: unknown): unknown {
  const kind = [AudioFormatError, AudioLengthError].find(known => thrown instanceof known)
  if (!kind || !(thrown instanceof MossSpeechError)) return thrown
  return new kind(`${path}: ${thrown.message}`, { ...thrown.details, path }, { cause: thrown.cause })
}

/** Detects the format by the first bytes of the file. */
function sniff(head: Uint8Array): 'wav' | CompressedFormat {
  const text = Buffer.from(head).toString('latin1')
  if (/^(RIFF|RIFX|RF64|BW64)....WAVE/s.test(text)) return 'wav'
  if (text.startsWith('fLaC')) return 'flac'
  if (text.startsWith('OggS')) {
    const page = text.slice(0, 128)
    if (page.includes('OpusHead')) return 'opus'
    if (page.includes('\x01vorbis')) return 'vorbis'
    if (page.includes('\x7fFLAC')) return 'flac'
    throw new AudioFormatError('this Ogg file holds neither Opus, Vorbis nor FLAC')
  }
  if (text.startsWith('ID3') || (head[0] === 0xff && ((head[1] ?? 0) & 0xe0) === 0xe0 && ((head[1] ?? 0) & 0x06) !== 0))
    return 'mp3'
  const others: [RegExp, string][] = [
    [/^....ftyp/s, 'MPEG-4 (m4a, mp4)'],
    [/^FORM....AIF/s, 'AIFF'],
    [/^.\x45\xdf\xa3/s, 'Matroska (webm, mkv)'],
    [/^0&\xb2u/, 'Windows Media'],
    [/^#!AMR/, 'AMR'],
    [/^caff/, 'Core Audio'],
  ]
  const other = others.find(([pattern]) => pattern.test(text))?.[1]
  if (other)
    throw new AudioFormatError(`${other} is not supported; convert it to wav, flac, mp3 or ogg (ffmpeg -i IN out.wav)`)
  throw new AudioFormatError('this is no audio file of a supported format: wav, flac, mp3, ogg (Opus, Vorbis)')
}

/** Checks, resamples and collects blocks as they are decoded. Throws as soon as there are too many samples. */
class Collector {
  #resampler: Resampler | undefined
  #sampleRate = 0
  #blocks: Float32Array[] = []
  #taken = 0

  constructor(private readonly maxSeconds: number) {}

  async add({ mono, sampleRate }: AudioBlock): Promise<void> {
    for (let i = 0; i < mono.length; i++) {
      const sample = mono[i] ?? 0
      if (!(Math.abs(sample) <= LARGEST)) {
        const found = Number.isFinite(sample) ? `${sample}, outside [-1, 1]` : String(sample)
        throw new AudioFormatError(`sample ${this.#taken + i} is ${found}`, { index: this.#taken + i })
      }
    }
    if (sampleRate !== this.#sampleRate) await this.#setRate(sampleRate)
    this.#taken += mono.length
    if (this.#taken / sampleRate > this.maxSeconds) throw tooLong(undefined, this.maxSeconds)
    if (this.#resampler) this.#blocks.push(this.#resampler.push(mono))
  }

  // A chained Ogg stream may change its rate. The limit is then calculated with the new rate, which is accurate enough.
  async #setRate(sampleRate: number): Promise<void> {
    if (this.#resampler) this.#blocks.push(this.#resampler.finish())
    this.#resampler = await createResampler(sampleRate, SAMPLE_RATE)
    this.#sampleRate = sampleRate
  }

  finish(): Float32Array {
    if (this.#resampler) this.#blocks.push(this.#resampler.finish())
    const samples = concat(this.#blocks)
    const seconds = samples.length / SAMPLE_RATE
    if (samples.length === 0) throw new AudioLengthError('the audio is empty', { seconds: 0, limit: MIN_SECONDS })
    if (seconds < MIN_SECONDS) {
      throw new AudioLengthError(`the audio is ${seconds.toFixed(3)} s long; at least ${MIN_SECONDS} s are needed`, {
        seconds,
        limit: MIN_SECONDS,
      })
    }
    return samples
  }
}

async function decodeWav(reader: ByteReader, maxSeconds: number): Promise<DecodedAudio> {
  const header = readWavHeader(reader)
  const { sampleRate, channels, frames, warning } = header
  if (frames / sampleRate > maxSeconds) throw tooLong(frames / sampleRate, maxSeconds)
  const collector = new Collector(maxSeconds)
  for (const mono of readWavBlocks(reader, header)) await collector.add({ mono, sampleRate, channels })
  return { samples: collector.finish(), format: 'wav', sampleRate, channels, ...(warning && { warning }) }
}

async function decodeCompressed(
  reader: ByteReader,
  format: CompressedFormat,
  maxSeconds: number,
): Promise<DecodedAudio> {
  const collector = new Collector(maxSeconds)
  let sampleRate = 0
  let channels = 0
  const warnings: string[] = []
  for await (const block of readCompressedBlocks(reader, format, message => warnings.push(message))) {
    sampleRate ||= block.sampleRate
    channels ||= block.channels
    await collector.add(block)
  }
  if (sampleRate === 0) throw new AudioFormatError(`damaged ${format} file: ${warnings[0] ?? 'no audio in it'}`)
  const [warning] = warnings
  try {
    return { samples: collector.finish(), format, sampleRate, channels, ...(warning && { warning }) }
  } catch (thrown) {
    if (warning && thrown instanceof AudioLengthError) throw new AudioFormatError(`damaged ${format} file: ${warning}`)
    throw thrown
  }
}

/**
 * Decodes a file of any supported format to mono samples at 16 kHz. Whether it is too long is decided by its header, or
 * while decoding, so that a huge file is not read to its end. Errors name the file. Blocks the thread: to be called in
 * the worker thread.
 */
export async function decodeAudio(source: AudioSource, maxSeconds: number): Promise<DecodedAudio> {
  const reader = openSource(source)
  try {
    const head = reader.read(0, 256)
    if (head.length === 0) throw new AudioLengthError('the file is empty', { seconds: 0, limit: MIN_SECONDS })
    const format = sniff(head)
    return format === 'wav' ? await decodeWav(reader, maxSeconds) : await decodeCompressed(reader, format, maxSeconds)
  } catch (thrown) {
    throw 'path' in source ? inFile(source.path, thrown) : thrown
  } finally {
    reader.close()
  }
}
