// What the package decibri offers, without devices: the microphone delivers the samples (32-bit floats) of the file FAKE_MICROPHONE, fifty
// times as fast as speech, and the speaker appends to the file FAKE_SPEAKER. Without the file there is no such device.

import { appendFileSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Readable } from 'node:stream'

export const Microphone = {
  open({ framesPerBuffer }) {
    const path = process.env.FAKE_MICROPHONE
    if (!path) return Promise.reject(new Error('No microphone found.'))
    const bytes = readFileSync(path)
    let stopped = false
    async function* record() {
      for (let i = 0; i < bytes.length && !stopped; i += framesPerBuffer * 4) {
        await sleep(0)
        yield bytes.subarray(i, i + framesPerBuffer * 4)
      }
      if (path.includes('unplugged')) throw new Error('decibri: audio device error: it has been unplugged')
    }
    return Promise.resolve(Object.assign(Readable.from(record()), { stop: () => void (stopped = true) }))
  },
}

export const Speaker = {
  open() {
    const path = process.env.FAKE_SPEAKER
    if (!path) return Promise.reject(new Error('No speaker found.'))
    return Promise.resolve({
      writeAsync: async bytes => appendFileSync(path, bytes),
      drainAsync: async () => undefined,
      stop: () => undefined,
    })
  },
}
