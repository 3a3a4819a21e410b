import { open, type FileHandle } from 'node:fs/promises'
import { setImmediate as nextTick } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { copy } from './audio/concat.js'
import type { DecodedAudio } from './audio/decode.js'
import { MAX_SECONDS, MIN_SECONDS, SAMPLE_RATE, SAMPLES_AT_ONCE } from './audio/limits.js'
import { fileError, type AudioSource } from './audio/source.js'
import { AudioLengthError, InvalidArgumentError } from './errors.js'
import { checkInteger, checkNumber, checkOptions, checkSignal } from './options.js'
import { audioThread } from './worker/offload.js'

/** Mono speech at 16 kHz, as the networks take it. */
export interface Audio {
  /** In [-1, 1]. */
  samples: Float32Array
  /** Always 16000. */
  sampleRate: number
  seconds: number
  /** What was read. */
  source: {
    format: 'wav' | 'mp3' | 'flac' | 'opus' | 'vorbis'
    /** Hz. */
    sampleRate: number
    channels: number
    /** What was odd about it, though it could be read: cut off, for instance. */
    warning?: string
  }
}

/** Options of {@link readAudio}. */
export interface ReadAudioOptions {
  /** Longer audio is refused, by its header where it has one, before it is read. Default 300. */
  maxSeconds?: number
  signal?: AbortSignal
}

/** Raw samples with their rate: one channel, in [-1, 1]. */
export interface RawSpeech {
  samples: Float32Array
  /** Hz, 1000 to 1,000,000. */
  sampleRate: number
}

/**
 * Speech in any of these forms: the path or `file:` URL of an audio file, the bytes of one, mono samples at 16 kHz, or mono samples
 * with their rate.
 */
export type Speech = string | URL | Uint8Array | ArrayBuffer | Float32Array | RawSpeech

/**
 * Reads an audio file (wav of any common kind, mp3, flac, ogg with Opus or Vorbis) as mono samples at 16 kHz. Decoding and resampling
 * happen in a thread of their own.
 *
 * @param input A path, a `file:` URL or the file's bytes.
 * @throws {@link FileError} there is no such file; {@link AudioFormatError} it is no audio, of a kind that is not read, damaged, or holds
 * NaN; {@link AudioLengthError} it is empty, shorter than 0.05 s or longer than `maxSeconds`; {@link InvalidArgumentError};
 * {@link AbortedError}
 */
export async function readAudio(
  input: string | URL | Uint8Array | ArrayBuffer,
  options?: ReadAudioOptions,
): Promise<Audio> {
  const { maxSeconds, signal } = checkOptions('options', options, ['maxSeconds', 'signal'])
  const limit = checkNumber('maxSeconds', maxSeconds, MIN_SECONDS, 24 * 3600) ?? MAX_SECONDS
  const source = await toSource(input)
  const decoded: DecodedAudio = await audioThread.run(
    'decodeAudio',
    { source, maxSeconds: limit },
    { signal: checkSignal(signal), transfer: 'bytes' in source ? [source.bytes.buffer] : [] },
  )
  const { samples, ...about } = decoded
  return { samples, sampleRate: SAMPLE_RATE, seconds: samples.length / SAMPLE_RATE, source: about }
}

async function toSource(input: unknown): Promise<AudioSource> {
  if (typeof input === 'string') {
    if (input === '' || input.includes('\0'))
      throw new InvalidArgumentError('the path of the audio file is empty or not valid', { option: 'input' })
    return { path: input }
  }
  if (input instanceof URL) {
    if (input.protocol !== 'file:')
      throw new InvalidArgumentError(`only file: URLs are read, not ${input.protocol}`, { option: 'input' })
    return { path: fileURLToPath(input) }
  }
  // A copy, which moves to the thread: the caller keeps its bytes.
  if (input instanceof Uint8Array) return { bytes: await copy(input, new Uint8Array(input.length)) }
  if (input instanceof ArrayBuffer)
    return { bytes: await copy(new Uint8Array(input), new Uint8Array(input.byteLength)) }
  throw new InvalidArgumentError(
    'speech must be a path, a file: URL, the bytes of an audio file, a Float32Array or { samples, sampleRate }',
    {
      option: 'speech',
    },
  )
}

/** Any form of speech as mono samples at 16 kHz, checked. */
export async function toSamples(
  speech: Speech,
  maxSeconds: number,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  if (speech instanceof Float32Array) {
    await checkSamples(speech, SAMPLE_RATE, maxSeconds)
    return speech
  }
  if (isRawSpeech(speech)) {
    const from = checkInteger('sampleRate', speech.sampleRate, 1000, 1_000_000) ?? SAMPLE_RATE
    await checkSamples(speech.samples, from, maxSeconds)
    if (from === SAMPLE_RATE) return speech.samples
    const samples = await copy(speech.samples, new Float32Array(speech.samples.length))
    return audioThread.run('resample', { samples, from, to: SAMPLE_RATE }, { signal, transfer: [samples.buffer] })
  }
  return (await readAudio(speech, { maxSeconds, ...(signal && { signal }) })).samples
}

function isRawSpeech(speech: unknown): speech is RawSpeech {
  return typeof speech === 'object' && speech !== null && (speech as Partial<RawSpeech>).samples instanceof Float32Array
}

const LARGEST = 32

async function checkSamples(samples: Float32Array, sampleRate: number, maxSeconds: number): Promise<void> {
  const seconds = samples.length / sampleRate
  if (samples.length === 0) throw new AudioLengthError('the speech holds no samples', { seconds, limit: MIN_SECONDS })
  if (seconds < MIN_SECONDS) {
    throw new AudioLengthError(`the speech is ${seconds.toFixed(3)} s long; at least ${MIN_SECONDS} s are needed`, {
      seconds,
      limit: MIN_SECONDS,
    })
  }
  if (seconds > maxSeconds) {
    throw new AudioLengthError(`the speech is ${seconds.toFixed(1)} s long; the limit is ${maxSeconds.toFixed(1)} s`, {
      seconds,
      limit: maxSeconds,
    })
  }
  for (let start = 0; start < samples.length; start += SAMPLES_AT_ONCE) {
    if (start > 0) await nextTick()
    const end = Math.min(samples.length, start + SAMPLES_AT_ONCE)
    for (let i = start; i < end; i++) {
      const sample = samples[i] ?? 0
      if (Math.abs(sample) <= LARGEST) continue
      const found = Number.isFinite(sample) ? `${sample}; samples lie in [-1, 1]` : String(sample)
      throw new InvalidArgumentError(`speech sample ${i} is ${found}`, { option: 'speech', index: i })
    }
  }
}

/** Options of {@link writeWav} and {@link WavWriter.open}. */
export interface WavOptions {
  /** Hz. Default 16000. */
  sampleRate?: number
}

/** The 44 bytes before `dataBytes` bytes of 16-bit mono samples. */
function wavHeader(sampleRate: number, dataBytes: number): Buffer {
  const header = Buffer.alloc(44)
  header.write('RIFF', 0, 'latin1')
  header.writeUInt32LE(36 + dataBytes, 4)
  header.write('WAVEfmt ', 8, 'latin1')
  header.writeUInt32LE(16, 16)
  header.writeUInt16LE(1, 20) // PCM
  header.writeUInt16LE(1, 22) // mono
  header.writeUInt32LE(sampleRate, 24)
  header.writeUInt32LE(sampleRate * 2, 28)
  header.writeUInt16LE(2, 32)
  header.writeUInt16LE(16, 34)
  header.write('data', 36, 'latin1')
  header.writeUInt32LE(dataBytes, 40)
  return header
}

function toPcm16(samples: Float32Array): Buffer {
  const pcm = Buffer.alloc(samples.length * 2)
  for (let i = 0; i < samples.length; i++) {
    pcm.writeInt16LE(Math.max(-0x8000, Math.min(0x7fff, Math.round((samples[i] ?? 0) * 0x7fff))) || 0, 2 * i)
  }
  return pcm
}

/** Samples as the bytes of a wav file: mono, 16-bit PCM. What lies outside [-1, 1] is clipped. */
export function encodeWav(samples: Float32Array, options?: WavOptions): Uint8Array {
  const { sampleRate } = checkOptions('options', options, ['sampleRate'])
  const rate = checkInteger('sampleRate', sampleRate, 1000, 1_000_000) ?? SAMPLE_RATE
  return Buffer.concat([wavHeader(rate, samples.length * 2), toPcm16(samples)])
}

/** Writes a wav file (mono, 16-bit PCM) as its samples come. Its header is right after every {@link close}, also of a reply that was stopped. */
export class WavWriter {
  readonly #file: FileHandle
  readonly #sampleRate: number
  #bytes = 0
  #closed = false

  private constructor(file: FileHandle, sampleRate: number) {
    this.#file = file
    this.#sampleRate = sampleRate
  }

  /** Creates or overwrites the file. @throws {@link FileError} */
  static async open(path: string, options?: WavOptions): Promise<WavWriter> {
    const { sampleRate } = checkOptions('options', options, ['sampleRate'])
    const rate = checkInteger('sampleRate', sampleRate, 1000, 1_000_000) ?? SAMPLE_RATE
    let file: FileHandle | undefined
    try {
      file = await open(path, 'w')
      await file.write(wavHeader(rate, 0), 0, 44, 0)
    } catch (thrown) {
      await file?.close()
      throw fileError('write', path, thrown)
    }
    return new WavWriter(file, rate)
  }

  /** Seconds written so far. */
  get seconds(): number {
    return this.#bytes / 2 / this.#sampleRate
  }

  /** Appends samples. */
  async write(samples: Float32Array): Promise<void> {
    for (let i = 0; i < samples.length; i += SAMPLES_AT_ONCE) {
      const pcm = toPcm16(samples.subarray(i, i + SAMPLES_AT_ONCE))
      await this.#file.write(pcm, 0, pcm.length, 44 + this.#bytes)
      this.#bytes += pcm.length
    }
  }

  /** Completes the header and closes the file. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    try {
      await this.#file.write(wavHeader(this.#sampleRate, this.#bytes), 0, 44, 0)
    } finally {
      await this.#file.close()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/**
 * Writes samples, or chunks of them as they come, to a wav file: mono, 16-bit PCM.
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
  } finally {
    await writer.close()
  }
  return writer.seconds
}
