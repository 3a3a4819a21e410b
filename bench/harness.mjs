/*
 * Functions that the benchmarks share: rounds in which the engines take turns, ratios of medians, and a description of
 * the machine.
 *
 * Times on a shared machine are noisy, but the ratio of medians is meaningful if both engines were measured in
 * alternating rounds. If other programs run at the same time, the ratio of processor time with one thread is more
 * reliable; with several threads it is not, because waiting threads may spin.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { availableParallelism, cpus, homedir, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

export const rounded = (n, digits = 3) => Number(n.toFixed(digits))

/** Parses a whole number of at least `least` from the command line. */
export function whole(name, text, least = 1) {
  const value = Number(text)
  if (!Number.isInteger(value) || value < least) throw new RangeError(`--${name} must be a whole number from ${least}`)
  return value
}

export const list = text => text.split(',').map(part => part.trim())

/** Parses whole numbers separated by commas. */
export const wholes = (name, text) => list(text).map(part => whole(name, part))

/** Parses names separated by commas, each of which must be in `known`. */
export function choices(name, text, known) {
  const chosen = list(text)
  const other = chosen.find(choice => !known.includes(choice))
  if (other !== undefined) throw new RangeError(`--${name} takes ${known.join(', ')}, not ${other}`)
  return chosen
}

/**
 * Returns a function that returns the wall-clock time and the processor time (of all threads of this process) since
 * this call.
 */
export function stopwatch() {
  const began = performance.now()
  const before = process.cpuUsage()
  return () => {
    const ms = performance.now() - began
    const { user, system } = process.cpuUsage(before)
    return { ms, cpuMs: (user + system) / 1000 }
  }
}

const SETTLE_MS = 50 // the threads of some engines spin for a while after a run

/**
 * Runs each engine once in each of `rounds` rounds, after one round of warm-up.
 *
 * @param engines - name → async function, which returns `{ ms, cpuMs }`, or nothing to be measured here
 * @returns name → all times
 */
export async function inTurn(engines, rounds) {
  const times = Object.fromEntries(Object.keys(engines).map(name => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const [name, run] of Object.entries(engines)) {
      await sleep(SETTLE_MS)
      const elapsed = stopwatch()
      const told = await run()
      if (round > 0) times[name].push(told ?? elapsed())
    }
  }
  return times
}

/**
 * The medians, and for each pair (ours, theirs) how many times faster ours is, by wall-clock and by processor time.
 *
 * @param pairs - [ours, theirs] …
 */
export function compare(times, pairs) {
  const medians = key => Object.entries(times).map(([name, all]) => [name, median(all.map(time => time[key]))])
  const [ms, cpuMs] = ['ms', 'cpuMs'].map(key => Object.fromEntries(medians(key)))
  const known = pairs.filter(([us, them]) => us in times && them in times)
  const ratios = of => Object.fromEntries(known.map(([us, them]) => [`${us} / ${them}`, rounded(of[them] / of[us], 2)]))
  const shown = of => Object.fromEntries(Object.entries(of).map(([name, value]) => [name, rounded(value, 2)]))
  return { medianMs: shown(ms), timesFaster: ratios(ms), medianCpuMs: shown(cpuMs), timesFasterByCpu: ratios(cpuMs) }
}

/** All pairs of the two lists. */
export const pairs = (ours, theirs) => ours.flatMap(us => theirs.map(them => [us, them]))

export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? '',
    cores: availableParallelism(),
    memoryGb: rounded(totalmem() / 2 ** 30, 0),
    loadAverage: rounded(loadavg()[0] ?? 0, 2), // on a busy machine, even ratios are less certain
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
  }
}

/** Prints a benchmark's one JSON object. */
export const report = result => console.log(JSON.stringify({ ...result, machine: machine() }, null, 2))

/** The folder in which benchmarks cache the models that they make, some GB. It may be deleted. */
const made = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'moss-speech', 'bench')

/**
 * The path of a cached file or folder, made by `make(path)` if it does not exist.
 *
 * @param name - must include everything on which the content depends
 */
export async function cached(name, make) {
  const path = join(made, name)
  if (existsSync(path)) return path
  mkdirSync(made, { recursive: true })
  const part = join(made, `part-${process.pid}-${name}`)
  try {
    await make(part)
    renameSync(part, path)
  } finally {
    rmSync(part, { recursive: true, force: true })
  }
  return path
}

/** A peer in a separate process, which reads a JSON object from each line and answers each with one. */
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
