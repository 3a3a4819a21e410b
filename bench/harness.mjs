/*
 * What the benchmarks share: rounds in which the engines take turns, ratios of medians, and a description of the machine.
 *
 * Times of a shared machine are noise; a ratio of medians over rounds in which both met the same noise says something.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

export const rounded = (n, digits = 3) => Number(n.toFixed(digits))

/** A whole number from `least` on the command line. */
export function whole(name, text, least = 1) {
  const value = Number(text)
  if (!Number.isInteger(value) || value < least) throw new RangeError(`--${name} must be a whole number from ${least}`)
  return value
}

export const list = text => text.split(',').map(part => part.trim())

/**
 * Runs each engine once a round, in turn, `rounds` times after one round that warms up.
 *
 * @param engines - name → async function; what it returns is the time in ms, or nothing: then it is measured here
 * @returns name → all times in ms
 */
export async function inTurn(engines, rounds) {
  const times = Object.fromEntries(Object.keys(engines).map(name => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const [name, run] of Object.entries(engines)) {
      const began = performance.now()
      const told = await run()
      if (round > 0) times[name].push(told ?? performance.now() - began)
    }
  }
  return times
}

/** Medians, and for each pair (ours, theirs) how many times faster ours is. */
export function compare(times, ours, theirs) {
  const medians = Object.fromEntries(Object.entries(times).map(([name, all]) => [name, rounded(median(all), 2)]))
  const ratios = {}
  for (const us of ours) {
    for (const them of theirs) {
      if (us in times && them in times) ratios[`${us} / ${them}`] = rounded(median(times[them]) / median(times[us]), 2)
    }
  }
  return { medianMs: medians, timesFaster: ratios }
}

export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? '',
    cores: availableParallelism(),
    loadAverage: rounded(loadavg()[0] ?? 0, 2), // of a busy machine even ratios are less sure
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
  }
}

/** A peer in a process of its own, which takes one JSON object a line and answers each with one. */
export class Peer {
  #child
  #lines

  constructor(command, args) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  static python(script, args = []) {
    return new Peer(process.env.PYTHON ?? 'python3', [join(import.meta.dirname, 'peers', script), ...args])
  }

  async ask(request) {
    this.#child.stdin.write(JSON.stringify(request) + '\n')
    const { value, done } = await this.#lines.next()
    if (done) throw new Error('the peer has ended: what it said stands above')
    return JSON.parse(value)
  }

  async end() {
    this.#child.stdin.end()
    if (this.#child.exitCode === null) await once(this.#child, 'exit')
  }
}
