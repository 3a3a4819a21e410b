/*
 * A language model of Qwen3-0.6B's shape in Q8_0: the speed of reading a prompt and of the steps after it, of steps far
 * into a conversation, and of several conversations at once, by us and by llama.cpp, built from the same bundle as our
 * ggml; and the cost of the second tail of a layer-split model. Prints one JSON object.
 *
 *     node bench/lm.mjs                                     # the first time llama.cpp is built, for some minutes
 *     node bench/lm.mjs --threads 1 --rounds 3 --prompt 512 --steps 64 --depth 2048 --sessions 8
 *     node bench/lm.mjs --only sessions                     # prompt, depth, sessions or tails
 *
 * Both read the same ids and continue with the most probable token; keys and values are F16. Weights are random
 * (language-models.mjs; 2 GB are cached). `secondTail` is the ratio of a step with 24 shared blocks and tails of 4 + 4
 * to one with 24 + 4 + 0, in time and in bytes of weights read.
 */
import { parseArgs } from 'node:util'
import { loadAddon } from '../dist/lib/binding.js'
import { llamaCppReference } from '../scripts/llama-cpp.mjs'
import { choices, compare, inTurn, median, Peer, report, rounded, stopwatch, whole, wholes } from './harness.mjs'
import { layerSplit, qwen3 } from './language-models.mjs'

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '1,2' },
    rounds: { type: 'string', default: '5' },
    prompt: { type: 'string', default: '512' },
    steps: { type: 'string', default: '64' },
    depth: { type: 'string', default: '2048' },
    sessions: { type: 'string', default: '8' },
    only: { type: 'string', default: 'prompt,depth,sessions,tails' },
  },
})
const threadCounts = wholes('threads', values.threads)
const rounds = whole('rounds', values.rounds)
const prompt = whole('prompt', values.prompt)
const steps = whole('steps', values.steps)
const depth = whole('depth', values.depth)
const sessions = whole('sessions', values.sessions)
const parts = choices('only', values.only, ['prompt', 'depth', 'sessions', 'tails'])
const SHORT = 16 // positions of the prompt before steps of several conversations
const addon = loadAddon()

/** Generates one reply to a prompt of `positions`; returns the times of its prompt and of its steps. */
async function reply(session, length, positions = prompt) {
  session.reset()
  const promptIds = Int32Array.from({ length: positions }, (_, i) => 100 + ((i * 7) % 1000)) // the same as the peer's in reference.cpp
  const sampling = { temperature: 0, repetitionPenalty: 1 }
  const total = stopwatch()
  const stream = session.generate({ textIds: promptIds, output: 'text', maxTokens: length, ...sampling })
  let count = 0
  let first
  for (;;) {
    const { textIds, timings, done } = await stream.next()
    count += textIds?.length ?? 0
    first ??= count > 0 ? total() : undefined
    if (!done) continue
    if (count !== length) throw new Error(`a reply of ${count} tokens, not ${length}`)
    const { ms, cpuMs } = total()
    return { timings, prompt: first, rest: { ms: ms - first.ms, cpuMs: cpuMs - first.cpuMs } }
  }
}

/** Adds the speed: tokens a second at the median time. */
const speeds = ({ medianMs }, tokens) =>
  Object.fromEntries(Object.entries(medianMs).map(([name, ms]) => [name, rounded((1000 * tokens) / ms, 1)]))

async function withModel(path, threads, contextLength, work) {
  const model = await addon.loadModel(path, { threads, contextLength })
  try {
    return await work(model)
  } finally {
    model.dispose()
  }
}

const PAIR = [['moss', 'llama.cpp']]

/** Our times of `mine` in turn with those of llama.cpp, which `theirs` asks. */
async function inTurnWithPeer({ path, threads, positions, conversations = 1 }, mine, theirs) {
  const peer = new Peer(llamaCppReference(), ['speed', path, threads, positions, conversations].map(String))
  try {
    const times = await withModel(path, threads, positions, model =>
      inTurn({ moss: () => mine(model), 'llama.cpp': () => theirs(peer) }, rounds),
    )
    return compare(times, PAIR)
  } finally {
    peer.end()
  }
}

/** Reading a prompt. */
async function reading(threads, path) {
  const prefill = await inTurnWithPeer(
    { path, threads, positions: prompt + 64 },
    async model => (await reply(model.createSession(), 1)).prompt,
    async peer => (await peer.ask({ prompt, steps: 0 })).prompt,
  )
  return { ...prefill, tokensASecond: speeds(prefill, prompt) }
}

/** Steps after a prompt of `positions`. */
async function stepping(threads, path, positions) {
  // The last token of a reply is sampled but not read, so a reply of steps + 1 tokens takes `steps` steps.
  const decode = await inTurnWithPeer(
    { path, threads, positions: positions + steps + 64 },
    async model => (await reply(model.createSession(), steps + 1, positions)).rest,
    async peer => (await peer.ask({ prompt: positions, steps })).steps,
  )
  return { ...decode, tokensASecond: speeds(decode, steps) }
}

/** Short prompts and steps of several conversations at once. */
async function together(threads, path, conversations) {
  const decode = await inTurnWithPeer(
    { path, threads, positions: SHORT + steps + 64, conversations },
    async model => {
      const total = stopwatch()
      await Promise.all(Array.from({ length: conversations }, () => reply(model.createSession(), steps + 1, SHORT)))
      return total()
    },
    async peer => {
      const { prompt: read, steps: generated } = await peer.ask({ prompt: SHORT, steps })
      return { ms: read.ms + generated.ms, cpuMs: read.cpuMs + generated.cpuMs }
    },
  )
  return { ...decode, tokensASecond: speeds(decode, conversations * steps) }
}

/** How much longer a step with a second tail takes, and how much more it reads. */
async function secondTail(threads, one, two) {
  return withModel(one.path, threads, prompt + steps + 64, single =>
    withModel(two.path, threads, prompt + steps + 64, async split => {
      const step = model => async () => (await reply(model.createSession(), steps)).rest
      const times = await inTurn({ 'one tail': step(single), 'two tails': step(split) }, rounds)
      const extra = key => median(times['two tails'].map(t => t[key])) / median(times['one tail'].map(t => t[key])) - 1
      return {
        threads,
        ...compare(times, []),
        extraTime: rounded(extra('ms')),
        extraCpuTime: rounded(extra('cpuMs')),
        extraBytes: rounded(two.bytes.audio / two.bytes.rest),
      }
    }),
  )
}

const path = await qwen3()
const results = []
const tails = []
for (const threads of threadCounts) {
  const result = { threads }
  if (parts.includes('prompt')) {
    result.prompt = await reading(threads, path)
    result.steps = await stepping(threads, path, prompt)
  }
  if (parts.includes('depth')) result.deep = { positions: depth, ...(await stepping(threads, path, depth)) }
  if (parts.includes('sessions')) {
    const one = await together(threads, path, 1)
    const all = await together(threads, path, sessions)
    const gain = rounded(all.tokensASecond.moss / one.tokensASecond.moss, 2)
    result.sessions = { count: sessions, gain, one, all }
  }
  results.push(result)
  if (parts.includes('tails')) tails.push(await secondTail(threads, await layerSplit(0), await layerSplit(4)))
}
report({ model: 'Qwen3-0.6B Q8_0', prompt, steps, rounds, results, secondTail: tails })
