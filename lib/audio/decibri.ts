/* The microphone and the speaker of this machine, through the optional package decibri. No other file uses it. */

import { setTimeout as sleep } from 'node:timers/promises'
import { AudioDeviceError } from '../errors.js'
import type { AudioInput, AudioOutput } from './device.js'
import { SAMPLE_RATE } from './limits.js'
import { SampleQueue } from './sample-queue.js'

/** What we use of decibri. */
interface Decibri {
  Microphone: { open(options: object): Promise<DecibriMicrophone> }
  Speaker: { open(options: object): Promise<DecibriSpeaker> }
}

interface DecibriMicrophone extends AsyncIterable<Buffer> {
  stop(): void
}

interface DecibriSpeaker {
  /** Resolves when the samples are in its queue. */
  writeAsync(samples: Buffer): Promise<void>
  /** Resolves when its queue has been played. */
  drainAsync(): Promise<void>
  /** Falls silent at once, for good. */
  stop(): void
}

type Device = 'microphone' | 'speaker'

const PACKAGE = 'decibri'

async function load(device: Device): Promise<Decibri> {
  try {
    return (await import(PACKAGE)) as Decibri
  } catch (cause) {
    const reason =
      (cause as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND' ? 'is not installed' : 'does not load'
    throw new AudioDeviceError(
      `the ${device} cannot be used: the package ${PACKAGE}, which records and plays, ${reason}; npm install ${PACKAGE} adds it, and files can take the place of microphone and speaker`,
      { device, package: PACKAGE },
      { cause },
    )
  }
}

/** Runs something that decibri may refuse. */
async function using<T>(device: Device, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw deviceError(device, cause)
  }
}

function deviceError(device: Device, cause: unknown): AudioDeviceError {
  if (cause instanceof AudioDeviceError) return cause
  const reason = cause instanceof Error ? cause.message.replace(/\.$/, '') : String(cause)
  const message = `the ${device} cannot be used: ${reason}; connect one and allow this program to use it, or use a file in its place`
  return new AudioDeviceError(message, { device }, { cause })
}

/**
 * Opens the microphone that the system has chosen, mono at 16 kHz. It records from the first time that its samples are asked for.
 *
 * @throws {@link AudioDeviceError} also from the loop over the samples
 */
export async function openMicrophone(): Promise<AudioInput> {
  const { Microphone } = await load('microphone')
  const options = { sampleRate: SAMPLE_RATE, channels: 1, framesPerBuffer: SAMPLE_RATE / 50, dtype: 'float32' }
  return new Recorder(await using('microphone', () => Microphone.open(options)))
}

class Recorder implements AudioInput {
  readonly sampleRate = SAMPLE_RATE
  #closed = false

  constructor(private readonly microphone: DecibriMicrophone) {}

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.microphone.stop()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Float32Array, void, void> {
    try {
      for await (const bytes of this.microphone) {
        if (this.#closed) return
        yield new Float32Array(Uint8Array.from(bytes).buffer)
      }
    } catch (cause) {
      if (!this.#closed) throw deviceError('microphone', cause)
    } finally {
      this.close()
    }
  }
}

/**
 * Opens the speaker that the system has chosen.
 *
 * @param sampleRate - of the samples that will be written, in Hz
 * @throws {@link AudioDeviceError}
 */
export async function openSpeaker(sampleRate: number): Promise<AudioOutput> {
  const { Speaker } = await load('speaker')
  const open = (): Promise<DecibriSpeaker> =>
    using('speaker', () => Speaker.open({ sampleRate, channels: 1, dtype: 'float32' }))
  return new Player(open, await open(), sampleRate)
}

/** The device is given audio this far ahead of its playing, so that it never runs dry. */
const AHEAD = 0.15 // seconds
const PIECE = 0.02

class Player implements AudioOutput {
  readonly #queue = new SampleQueue()
  #speaker: DecibriSpeaker | undefined
  /** Passes the queue on to the device, as long as there is one. */
  #passing: Promise<void> | undefined
  #failure: AudioDeviceError | undefined
  /** Seconds that the device was given. */
  #given = 0
  /** The device plays without a break since this time, by `performance.now()`, from this position on. */
  #since = { time: 0, position: 0 }

  constructor(
    private readonly open: () => Promise<DecibriSpeaker>,
    speaker: DecibriSpeaker,
    private readonly sampleRate: number,
  ) {
    this.#speaker = speaker
  }

  get written(): number {
    return this.#given + this.#queue.length / this.sampleRate
  }

  /** The device does not tell; it plays what it is given at once, as long as it has something. */
  get played(): number {
    const { time, position } = this.#since
    return Math.min(this.#given, position + (performance.now() - time) / 1000)
  }

  write(samples: Float32Array): void {
    if (this.#failure) throw this.#failure
    this.#queue.push(samples)
    this.#passing ??= this.#pass()
  }

  advance(): Promise<void> {
    return Promise.resolve()
  }

  clear(): void {
    this.#given = this.played
    this.#since = { time: performance.now(), position: this.#given }
    this.#queue.keep(0)
    this.#speaker?.stop()
    this.#speaker = undefined // it is opened again for the next samples
  }

  async finished(): Promise<void> {
    await this.#passing
    if (this.#failure) throw this.#failure
    const speaker = this.#speaker
    if (speaker) await using('speaker', () => speaker.drainAsync())
  }

  close(): void {
    this.clear()
  }

  async #pass(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        const ahead = this.#given - this.played
        if (ahead > AHEAD) await sleep(1000 * PIECE)
        else await this.#give()
      }
    } catch (cause) {
      this.#failure = deviceError('speaker', cause)
      this.#queue.keep(0)
    } finally {
      this.#passing = undefined
    }
  }

  async #give(): Promise<void> {
    const speaker = (this.#speaker ??= await this.open())
    const samples = this.#queue.take(Math.round(PIECE * this.sampleRate))
    if (this.played >= this.#given) this.#since = { time: performance.now(), position: this.#given }
    this.#given += samples.length / this.sampleRate
    try {
      await speaker.writeAsync(Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength))
    } catch (cause) {
      if (speaker === this.#speaker) throw cause // otherwise it was stopped meanwhile
    }
  }
}
