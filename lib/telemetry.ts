import type * as OpenTelemetry from '@opentelemetry/api'
import type { NativeTimings } from './binding.js'

/*
 * What turns take, for those who watch an application: an entry of Node's performance timeline for a PerformanceObserver, and a span of
 * OpenTelemetry where the application has its API and an SDK.
 */

const PREFIX = 'moss-speech.'

/** The times within a turn, in ms from its start. All are optional. */
export interface Times extends Partial<NativeTimings> {
  /** From the end of the speech, where the turn of a live session starts, to the decision that it has ended. */
  decisionMs?: number
}

let api: typeof OpenTelemetry | null | undefined

/** OpenTelemetry's API, if the application has it. Without an SDK, its spans do nothing. */
function openTelemetry(): typeof OpenTelemetry | null {
  if (api !== undefined) return api
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- an optional package
    api = require('@opentelemetry/api') as typeof OpenTelemetry
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw thrown
    api = null
  }
  return api
}

/** A turn, or a text that is read aloud, from its start to its end. */
export class Observation {
  readonly #name: string
  readonly #start: number
  readonly #span: OpenTelemetry.Span | undefined

  /**
   * @param name - `generate`, `speak` or `turn` (of a live session)
   * @param start - as of performance.now()
   */
  constructor(name: string, start = performance.now()) {
    this.#name = PREFIX + name
    this.#start = start
    this.#span = openTelemetry()
      ?.trace.getTracer('moss-speech-native')
      .startSpan(this.#name, { startTime: epoch(start) })
  }

  /** The turn has ended as it should, or was stopped. */
  end(times: Times = {}, outcome: 'finished' | 'stopped' = 'finished'): void {
    const end = performance.now()
    const detail = { ...times, outcome }
    performance.measure(this.#name, { start: this.#start, end, detail })
    performance.clearMeasures(this.#name) // observers have it; the timeline would keep it for ever
    this.#endSpan(times, { outcome }, end)
  }

  fail(thrown: unknown): void {
    this.#span?.recordException(thrown instanceof Error ? thrown : String(thrown))
    this.#span?.setStatus({ code: 2 }) // SpanStatusCode.ERROR
    this.#endSpan({}, { outcome: 'failed' }, performance.now())
  }

  #endSpan(times: Times, attributes: Record<string, string | number>, end: number): void {
    const span = this.#span
    if (!span) return
    for (const [name, value] of Object.entries(times)) if (typeof value === 'number') attributes[PREFIX + name] = value
    span.setAttributes(attributes)
    const decided = times.decisionMs ?? 0
    const event = (name: string, after: number | undefined): void => {
      if (after) span.addEvent(name, epoch(this.#start + decided + after))
    }
    if (times.decisionMs !== undefined) span.addEvent('decided', epoch(this.#start + decided))
    event('heard', times.heardMs)
    event('prompt read', times.readyMs)
    event('first token', times.firstTokenMs)
    event('first audio', times.firstAudioMs)
    span.end(epoch(end))
  }
}

/** Milliseconds since 1970 of a time as of performance.now(). */
function epoch(time: number): number {
  return performance.timeOrigin + time
}

/** Observes work whose chunks are passed on, from its first step to its end. */
export async function* observed<C, R extends object>(
  name: string,
  work: AsyncGenerator<C, R, void>,
): AsyncGenerator<C, R, void> {
  const observation = new Observation(name)
  let open = true
  try {
    const result = yield* work
    open = false
    observation.end((result as { timings?: NativeTimings }).timings)
    return result
  } catch (thrown) {
    open = false
    observation.fail(thrown)
    throw thrown
  } finally {
    if (open) observation.end({}, 'stopped')
  }
}
