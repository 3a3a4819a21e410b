import { setTimeout as sleep } from 'node:timers/promises'
import { openSpeaker } from '../lib/audio/decibri.js'
import type { AudioOutput } from '../lib/audio/device.js'
import { untilAborted } from '../lib/engine/streaming.js'
import { abortedBy } from '../lib/errors.js'

/** Speech that is made faster than it is played waits when it is this far ahead. */
const AHEAD = 10 // seconds

/** Plays speech while it is being made. */
export class SpeakerOutput {
  constructor(
    private readonly speaker: AudioOutput,
    private readonly signal: AbortSignal,
  ) {}

  /** Seconds that were passed on. */
  get seconds(): number {
    return this.speaker.written
  }

  async write(samples: Float32Array): Promise<void> {
    this.speaker.write(samples)
    while (this.speaker.written - this.speaker.played > AHEAD) {
      if (this.signal.aborted) throw abortedBy(this.signal)
      await sleep(100)
    }
  }
}

/** Runs `work` with the speaker, and waits until all has been played. */
export async function withSpeakerOutput<T>(
  sampleRate: number,
  signal: AbortSignal,
  work: (output: SpeakerOutput) => Promise<T>,
): Promise<T> {
  const speaker = await openSpeaker(sampleRate)
  try {
    const result = await work(new SpeakerOutput(speaker, signal))
    await untilAborted(speaker.finished(), signal)
    return result
  } finally {
    speaker.close()
  }
}
