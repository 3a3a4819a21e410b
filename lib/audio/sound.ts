import type { RawSpeech } from '../audio.js'
import { untilAborted } from '../engine/streaming.js'
import { abortedBy, InvalidArgumentError } from '../errors.js'
import { checkInteger, checkNumber, checkOptions, checkSignal } from '../options.js'
import { openMicrophone, openSpeaker } from './decibri.js'
import { SAMPLE_RATE } from './limits.js'
import { SampleQueue } from './sample-queue.js'
import { writeWav } from './wav-writer.js'

/** Something to hear: what {@link readAudio} or {@link recordAudio} returns, a reply, or mono samples at 16 kHz, in [-1, 1]. */
export type Sound = Float32Array | RawSpeech | { audio: Float32Array; /** Hz, 1000 to 1,000,000. */ sampleRate: number }

/** Options of {@link recordAudio}. */
export interface RecordOptions {
  /** How long to record, 0.05–3600. */
  seconds: number
  signal?: AbortSignal
}

/** What {@link recordAudio} returns. */
export interface Recording extends RawSpeech {
  /** Always 16000. */
  sampleRate: number
  seconds: number
}

function rawOf(sound: unknown): RawSpeech {
  if (sound instanceof Float32Array) return { samples: sound, sampleRate: SAMPLE_RATE }
  const { samples, audio, sampleRate } = (typeof sound === 'object' && sound !== null ? sound : {}) as Record<
    string,
    unknown
  >
  const found = samples ?? audio
  const rate = checkInteger('sampleRate', sampleRate, 1000, 1_000_000)
  if (found instanceof Float32Array && rate !== undefined) return { samples: found, sampleRate: rate }
  throw new InvalidArgumentError(
    'the sound must be a Float32Array at 16 kHz, { samples, sampleRate } or { audio, sampleRate }',
    { option: 'audio' },
  )
}

/**
 * Writes a wav file, mono, 16-bit PCM. For audio that is still being made there are {@link writeWav} and {@link WavWriter}.
 *
 *     await saveAudio('reply.wav', await session.speak('Hello.').result())
 *
 * @throws {@link InvalidArgumentError}, {@link FileError}
 */
export async function saveAudio(path: string, sound: Sound): Promise<void> {
  const { samples, sampleRate } = rawOf(sound)
  await writeWav(path, samples, { sampleRate })
}

/**
 * Plays a sound on the speaker that the system has chosen, through the optional package decibri. Resolves when it has been played.
 *
 *     await playAudio(await session.speak('Hello.').result())
 *
 * @throws {@link InvalidArgumentError}; {@link AudioDeviceError} decibri is not installed, there is no speaker, …; {@link AbortedError}
 */
export async function playAudio(sound: Sound, options?: { signal?: AbortSignal }): Promise<void> {
  const { samples, sampleRate } = rawOf(sound)
  const signal = checkSignal(checkOptions('options', options, ['signal']).signal)
  if (signal?.aborted) throw abortedBy(signal)
  const speaker = await openSpeaker(sampleRate)
  try {
    speaker.write(samples.slice())
    await untilAborted(speaker.finished(), signal)
  } finally {
    speaker.close()
  }
}

/**
 * Records with the microphone that the system has chosen, through the optional package decibri.
 *
 *     const reply = await session.generate({ speech: await recordAudio({ seconds: 4 }) }).result()
 *
 * @throws {@link InvalidArgumentError}; {@link AudioDeviceError} decibri is not installed, there is no microphone, …; {@link AbortedError}
 */
export async function recordAudio(options: RecordOptions): Promise<Recording> {
  const o = checkOptions<Partial<RecordOptions>>('options', options, ['seconds', 'signal'])
  const seconds = checkNumber('seconds', o.seconds, 0.05, 3600)
  if (seconds === undefined) throw new InvalidArgumentError('seconds is missing', { option: 'seconds' })
  const signal = checkSignal(o.signal)
  if (signal?.aborted) throw abortedBy(signal)
  const microphone = await openMicrophone()
  const count = Math.round(seconds * microphone.sampleRate)
  const recorded = new SampleQueue()
  const record = async (): Promise<void> => {
    for await (const samples of microphone) {
      recorded.push(samples)
      if (recorded.length >= count) return
    }
  }
  try {
    await untilAborted(record(), signal)
  } finally {
    microphone.close()
  }
  const samples = recorded.take(count)
  return { samples, sampleRate: microphone.sampleRate, seconds: samples.length / microphone.sampleRate }
}
