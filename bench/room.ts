import type { AudioInput } from '../lib/audio/device.js'
import { SAMPLE_RATE } from '../lib/audio/limits.js'
import { RecordedOutput } from '../lib/audio/recorded.js'
import { createResampler } from '../lib/audio/resample.js'
import { SampleQueue } from '../lib/audio/sample-queue.js'
import type { LiveEvent, Session } from '../lib/index.js'
import { Duplex } from '../lib/live/duplex.js'

const BLOCK = SAMPLE_RATE / 50

/** A reproducible sequence of random numbers in [0, 1). */
export function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random())
}

export interface RoomOptions {
  seed: number
  /** How much louder the reply is in the microphone than as it was played, in dB; below 0. */
  level: number
  /** Seconds from the player to the microphone. */
  delay: number
  /** The time in which the room's reverberation falls by 60 dB, in seconds. */
  reverberation: number
}

/**
 * A simulated room: its loudspeaker is heard by its microphone, later, quieter and with reverberation, beside somebody who speaks and a
 * little noise. Its clock is that of the microphone.
 */
export class Room implements AudioInput {
  readonly sampleRate = SAMPLE_RATE
  readonly output: RecordedOutput
  readonly #random: () => number
  readonly #response: Float32Array
  readonly #delay: number
  /** What was played, at 16 kHz. */
  #played = new Float32Array(1 << 20)
  #playedLength = 0
  /** Before this sample of the microphone the room may still sound. */
  #soundsUntil = 0
  #samples = 0
  readonly #speech = new SampleQueue()
  #closed = false

  private constructor(sampleRate: number, options: RoomOptions, resample: (samples: Float32Array) => Float32Array) {
    this.#random = randomNumbers(options.seed)
    this.#response = response(options, this.#random)
    this.#delay = Math.round(options.delay * SAMPLE_RATE)
    this.output = new RecordedOutput(sampleRate, samples => {
      this.#hear(resample(samples))
      return Promise.resolve()
    })
  }

  /** @param sampleRate - of the replies, in Hz */
  static async open(sampleRate: number, options: RoomOptions): Promise<Room> {
    const resampler = await createResampler(sampleRate, SAMPLE_RATE)
    return new Room(sampleRate, options, samples => resampler.push(samples))
  }

  /** Seconds since the beginning. */
  get time(): number {
    return this.#samples / SAMPLE_RATE
  }

  /** Whether somebody speaks. */
  get spokenTo(): boolean {
    return this.#speech.length > 0
  }

  /** Somebody says this now. */
  speak(samples: Float32Array): void {
    this.#speech.push(samples)
  }

  close(): void {
    this.#closed = true
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async *[Symbol.asyncIterator](): AsyncGenerator<Float32Array, void, void> {
    while (!this.#closed) {
      const block = this.#speech.takeOrSilence(BLOCK)
      for (let i = 0; i < BLOCK; i++)
        block[i] = (block[i] ?? 0) + this.#echo(this.#samples + i) + 0.0005 * normal(this.#random)
      this.#samples += BLOCK
      yield block
    }
  }

  #hear(samples: Float32Array): void {
    if (this.#playedLength + samples.length > this.#played.length) {
      const longer = new Float32Array(2 * this.#played.length)
      longer.set(this.#played)
      this.#played = longer
    }
    this.#played.set(samples, this.#playedLength)
    this.#playedLength += samples.length
    if (samples.some(sample => sample !== 0))
      this.#soundsUntil = this.#playedLength + this.#delay + this.#response.length
  }

  #echo(sample: number): number {
    if (sample >= this.#soundsUntil) return 0
    const [played, response] = [this.#played, this.#response]
    const last = sample - this.#delay
    const taps = Math.min(response.length, last + 1)
    let sum = 0
    for (let k = 0; k < taps; k++) sum += (response[k] ?? 0) * (played[last - k] ?? 0)
    return sum
  }
}

/** The direct sound, and noise that falls off, with the power of the level. */
function response({ level, reverberation }: RoomOptions, random: () => number): Float32Array {
  const taps = Float32Array.from({ length: 0.1 * SAMPLE_RATE }, (_, i) =>
    i === 0 ? 1 : i < 16 ? 0 : 0.08 * normal(random) * 10 ** ((-3 * i) / SAMPLE_RATE / reverberation),
  )
  const power = taps.reduce((sum, tap) => sum + tap * tap, 0)
  const gain = 10 ** (level / 20) / Math.sqrt(power)
  return taps.map(tap => tap * gain)
}

export interface Conversation {
  turns: number
  questions: readonly Float32Array[]
  /** Whether the user interrupts each reply with the next question. */
  interrupts: boolean
  echoCancellation: boolean
}

export interface Outcome {
  /** Replies that began to be played. */
  replies: number
  /** Replies that stopped though nobody spoke. */
  selfInterruptions: number
  /** Interruptions by the user of replies that would have gone on, and how many of them stopped the reply. */
  interruptions: number
  caught: number
  /** From the beginning of the user's speech to the stop, in milliseconds. */
  latencies: number[]
}

/** A reply that ends sooner than this after the user has begun to speak was not interrupted. */
const TOO_LATE = 0.4 // seconds
/** Longer than any reply takes to begin; then the next question is asked. */
const PATIENCE = 8 // seconds

/** Somebody asks one question after the other in a room, and, if wanted, interrupts the replies. */
export async function converse(session: Session, room: Room, o: Conversation): Promise<Outcome> {
  const outcome: Outcome = { replies: 0, selfInterruptions: 0, interruptions: 0, caught: 0, latencies: [] }
  const random = randomNumbers(7)
  let [asked, replyEnded, stopped, onset] = [0, false, false, 0]
  let state: 'quiet' | 'asked' | 'replying' | 'interrupting' = 'quiet'
  let due = 0.5
  const ask = (): number => {
    const question = o.questions[asked++ % o.questions.length] ?? new Float32Array(0)
    room.speak(question)
    return room.time + beginning(question)
  }
  const to = (next: typeof state, after = PATIENCE): void => {
    state = next
    due = room.time + after
  }
  const step = (): void => {
    const { output } = room
    const plays = output.played < output.written
    if (state === 'quiet' && room.time >= due) {
      if (outcome.replies >= o.turns || asked > 2 * o.turns) room.close()
      ask()
      to('asked')
    } else if (state === 'asked' && plays && !room.spokenTo) {
      outcome.replies++
      stopped = false
      const interrupts = o.interrupts && outcome.interruptions < o.turns && asked < 3 * o.turns
      to('replying', interrupts ? 0.3 + 0.7 * random() : Infinity)
    } else if (state === 'replying' && stopped) {
      outcome.selfInterruptions++
      to('quiet', 3)
    } else if (state === 'replying' && replyEnded && !plays) to('quiet', 0.5)
    else if (state === 'replying' && room.time >= due) {
      outcome.interruptions++
      onset = ask()
      to('interrupting')
    } else if (state === 'interrupting' && stopped) to('asked')
    else if (state === 'interrupting' && !plays) {
      if (room.time < onset + TOO_LATE) outcome.interruptions--
      to('asked')
    } else if (state === 'asked' && room.time >= due) to('quiet', 0.5)
  }
  const { echoCancellation } = o
  const duplex = new Duplex(() => session.listen({ echoCancellation, seed: 1 }), {
    input: room,
    output: room.output,
    waits: true,
    echoCancellation,
    onInput: step,
  })
  for await (const event of duplex as AsyncIterable<LiveEvent>) {
    if (event.type === 'audio') replyEnded = false
    if (event.type === 'replyEnd') replyEnded = true
    if (event.type !== 'interrupted') continue
    stopped = true
    if ((state as string) !== 'interrupting') continue
    outcome.caught++
    outcome.latencies.push(1000 * (event.time - onset))
  }
  return outcome
}

/** Seconds until the speech begins in a recording: until it is louder than a tenth of its peak. */
function beginning(samples: Float32Array): number {
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0)
  return samples.findIndex(sample => Math.abs(sample) > peak / 10) / SAMPLE_RATE
}
