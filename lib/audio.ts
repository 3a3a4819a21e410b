import { setImmediate as nextTick } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { copy } from './audio/concat.js'
import type { DecodedAudio } from './audio/decode.js'
import { MAX_SECONDS, MIN_SECONDS, SAMPLE_RATE, SAMPLES_AT_ONCE } from './audio/limits.js'
import type { AudioSource } from './audio/source.js'
import { AudioLengthError, InvalidArgumentError } from './errors.js'
import { checkInteger, checkNumber, checkOptions, checkSignal } from './options.js'
import { audioThread } from './worker/offload.js'

/** Mono speech at 16 kHz, the input of the networks. */
export interface Audio {
  /** In [-1, 1]. */
  samples: Float32Array
  /** Always 16000. */
  sampleRate: number
  seconds: number
  /** What the file holds. */
  source: {
    format: 'wav' | 'mp3' | 'flac' | 'opus' | 'vorbis'
    /** Hz. */
    sampleRate: number
    channels: number
    /** A defect of a file that could nevertheless be read, for instance that it is cut off. */
    warning?: string
  }
}

/** Options of {@link readAudio}. */
export interface ReadAudioOptions {
  /** Longer audio is refused, before it is read if its header gives the length. Default 300. */
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
 * Reads an audio file (wav of any common kind, mp3, flac, ogg with Opus or Vorbis) as mono samples at 16 kHz. Decoding
 * and resampling run in a worker thread.
 *
 * @param input A path, a `file:` URL or the file's bytes.
 * @throws {@link FileError} there is no such file; {@link AudioFormatError} it is not audio, of an unsupported kind,
 * damaged, or holds NaN; {@link AudioLengthError} it is empty, shorter than 0.05 s or longer than `maxSeconds`; {@link
 * InvalidArgumentError}; {@link AbortedError}
 */
export async function readAudio(
  input: string | URL | Uint8Array | ArrayBuffer,
  options?: ReadAudioOptions,
): Promise<Audio> {
  const { maxSeconds, signal } = checkOptions('options', options, ['maxSeconds', 'signal'])
  const limit = checkNumber('maxSeconds', maxSeconds, MIN_SECONDS, 24 * 3600) ?? MAX_SECONDS
  const { samples, ...about } = await decode(input, limit, checkSignal(signal))
  return { samples, sampleRate: SAMPLE_RATE, seconds: samples.length / SAMPLE_RATE, source: about }
}

async function decode(input: unknown, maxSeconds: number, signal: AbortSignal | undefined): Promise<DecodedAudio> {
  const source = await toSource(input)
  const transfer = 'bytes' in source ? [source.bytes.buffer as ArrayBuffer] : []
  return audioThread.run('decodeAudio', { source, maxSeconds }, { signal, transfer })
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
  // The copy is transferred to the worker thread, so that the caller keeps its bytes.
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

/** Mono samples at 16 kHz, with a warning if the file that they are from has a defect. */
export type Samples = Pick<DecodedAudio, 'samples' | 'warning'>

/** Converts speech in any form to samples, and checks them. */
export async function toSamples(speech: Speech, maxSeconds: number, signal: AbortSignal | undefined): Promise<Samples> {
  if (speech instanceof Float32Array) {
    await checkSamples(speech, SAMPLE_RATE, maxSeconds)
    return { samples: speech }
  }
  if (isRawSpeech(speech)) {
    const from = checkInteger('sampleRate', speech.sampleRate, 1000, 1_000_000) ?? SAMPLE_RATE
    await checkSamples(speech.samples, from, maxSeconds)
    if (from === SAMPLE_RATE) return speech
    const samples = await copy(speech.samples, new Float32Array(speech.samples.length))
    const job = { samples, from, to: SAMPLE_RATE }
    return { samples: await audioThread.run('resample', job, { signal, transfer: [samples.buffer] }) }
  }
  return decode(speech, maxSeconds, signal)
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
