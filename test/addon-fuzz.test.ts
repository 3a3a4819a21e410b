import fc from 'fast-check'
import { join, resolve } from 'node:path'
import t from 'tap'
import { loadAddon, type NativeModel, type NativeSession, type NativeStream } from '../lib/binding.js'

// Fuzzes the raw addon with a tiny bundle: wrong types, numbers out of range, proxies, getters that throw, dispose or
// call the addon again. The process must survive, every error must be typed, and sessions must work afterwards.
// MOSS_FUZZ_SECONDS is the duration, MOSS_FUZZ_SEED the seed, which is fixed by default.

const seed = Number(process.env.MOSS_FUZZ_SEED ?? 1)
const seconds = Number(process.env.MOSS_FUZZ_SECONDS ?? 8)
const tiny = join(resolve(__dirname, '..'), 'test', 'golden', 'tiny.gguf')
const addon = loadAddon()

const samples = new Float32Array(1600).fill(0.05)
const FIELDS = [
  'samples', 'text', 'stop', 'output', 'voice', 'speed', 'pitch', 'energy', 'pause', 'emotion', 'seed', 'noiseScale', 'noiseW', 'lengthScale', 'temperature', 'topP', 'topK',
  'repetitionPenalty', 'maxSeconds', 'maxTokens', 'transcribe', 'vad',
] // prettier-ignore
const METHODS = ['generate', 'speakUnits', 'encode', 'transcribe', 'features', 'append'] as const
type Trap = 'none' | 'throws' | 'disposes' | 'reenters' | 'cancels'

const odd = fc.oneof(
  fc.anything({ withBigInt: true, withTypedArray: true, withSparseArray: true, withNullPrototype: true, maxDepth: 2 }),
  fc.constantFrom<unknown>(
    NaN, Infinity, -1, -0, 2 ** 31, 2 ** 32, 2 ** 53, 1e308, '', 'both', 'text', 'speech', Symbol('x'), () => 1, new Proxy({}, {}), samples,
    new Float32Array(0), new Float32Array([NaN]), new Int32Array([1, 2, 3]), new Int32Array([-1]), new Int32Array([2 ** 31 - 1]), new Uint8Array(7), new DataView(new ArrayBuffer(4)),
    new Float32Array(new SharedArrayBuffer(64)),
  ), // prettier-ignore
)
const call = fc.record({
  method: fc.constantFrom(...METHODS),
  first: odd,
  fields: fc.dictionary(fc.constantFrom(...FIELDS), odd, { maxKeys: 5 }),
  sound: fc.boolean(), // whether the fields are added to a valid request
  trap: fc.constantFrom<Trap>('none', 'none', 'none', 'throws', 'disposes', 'reenters', 'cancels'),
  trapped: fc.constantFrom(...FIELDS),
})

const known = /^MOSS_(?!INTERNAL$)[A-Z_]+$/

function expectTyped(error: unknown): void {
  const { code } = error as { code?: unknown }
  if (typeof code !== 'string' || !known.test(code)) throw error instanceof Error ? error : new Error(String(error))
}

/** Runs a call to its end: reads a stream, or awaits a promise. Resolves to the error, if there is one. */
async function outcome(run: () => unknown): Promise<unknown> {
  try {
    const made = run()
    const stream = made as NativeStream | undefined
    if (typeof stream?.next === 'function') while (!(await stream.next()).done);
    else await made
    return undefined
  } catch (error) {
    return error
  }
}

t.test('whatever is passed to a session', async t => {
  const model: NativeModel = await addon.loadModel(tiny, { threads: 1 })
  let session: NativeSession = model.createSession({ seed: 1 })
  let calls = 0
  const property = fc.asyncProperty(call, async ({ method, first, fields, sound, trap, trapped }) => {
    calls++
    const request: Record<string, unknown> = sound
      ? { samples, output: 'both', maxSeconds: 0.3, maxTokens: 3, ...fields }
      : { maxSeconds: 0.3, ...fields }
    const current = session
    if (trap !== 'none') {
      Object.defineProperty(request, trapped, {
        get() {
          if (trap === 'throws') throw new RangeError('trap')
          if (trap === 'disposes') current.dispose()
          if (trap === 'cancels') current.cancel()
          if (trap === 'reenters') void outcome(() => current.encode(samples))
          return undefined
        },
        enumerable: true,
      })
    }
    const argument = method === 'generate' ? request : sound && method !== 'speakUnits' ? samples : first
    const error = await outcome(() =>
      (current[method] as (a: unknown, b?: unknown) => unknown).call(current, argument, request),
    )
    if (error !== undefined && !(trap === 'throws' && error instanceof RangeError)) {
      expectTyped(error)
    }
    // Work that a getter has started gets the time to end. A session that was disposed of is replaced.
    await outcome(() => current.encode(samples))
    if (trap === 'disposes' || (await outcome(() => current.encode(samples))) !== undefined) {
      current.dispose()
      session = model.createSession({ seed: 1 })
    }
  })
  const result = await fc.check(property, {
    seed,
    numRuns: 1_000_000,
    interruptAfterTimeLimit: seconds * 1000,
    markInterruptAsFailure: false,
  })
  t.notOk(result.failed, `${calls} calls${result.failed ? `: ${fc.defaultReportMessage(result)}` : ''}`)
  // The time limit may have interrupted a call, so another session checks that everything works.
  const other = model.createSession({ seed: 1 })
  t.equal(await outcome(() => other.encode(samples)), undefined, 'the model still works')
  other.dispose()
  session.dispose()
  model.dispose()
})

t.test('whatever is passed to loadModel, createSession and quantize', async t => {
  const model: NativeModel = await addon.loadModel(tiny, { threads: 1 })
  const property = fc.asyncProperty(odd, odd, fc.integer({ min: 0, max: 4 }), async (a, b, which) => {
    const error = await outcome(() => {
      switch (which) {
        case 0:
          return addon.loadModel(a as string, b as object)
        case 1:
          return addon.loadModel(tiny, a as object).then(loaded => loaded.dispose())
        case 2:
          return model.createSession(a as object).dispose()
        case 3:
          return addon.quantize(a as 'f16', b as Float32Array, 32)
        default:
          return addon.dequantize(a as 'f16', b as Uint8Array)
      }
    })
    if (error !== undefined) expectTyped(error)
  })
  const result = await fc.check(property, {
    seed,
    numRuns: 1_000_000,
    interruptAfterTimeLimit: (seconds * 1000) / 4,
    markInterruptAsFailure: false,
  })
  t.notOk(result.failed, fc.defaultReportMessage(result) ?? 'all refused or done')
  model.dispose()
})
