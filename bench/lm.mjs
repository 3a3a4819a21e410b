/*
 * A language model of Qwen3-0.6B's shape in Q8_0: the speed of reading a prompt and of the steps after it, by us and by
 * llama.cpp, built from the same bundle as our ggml; and the cost of the second tail of a layer-split model. Prints one
 * JSON object.
 *
 *     node bench/lm.mjs                                     # the first time llama.cpp is built, for some minutes
 *     node bench/lm.mjs --threads 1 --rounds 3 --prompt 512 --steps 64
 *
 * Both read the same ids and continue with the most probable token; keys and values are F16. Weights are random
 * (language-models.mjs; 2 GB are cached). `secondTail` is the ratio of a step with 24 shared blocks and tails of 4 + 4
 * to one with 24 + 4 + 0, in time and in bytes of weights read.
 */
import { parseArgs } from 'node:util'
import { loadAddon } from '../dist/lib/binding.js'
import { llamaCppReference } from '../scripts/llama-cpp.mjs'
import { compare, inTurn, median, Peer, report, rounded, stopwatch, whole, wholes } from './harness.mjs'
import { layerSplit, qwen3 } from './language-models.mjs'

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '1,2' },
    rounds: { type: 'string', default: '5' },
    prompt: { type: 'string', default: '512' },
    steps: { type: 'string', default: '64' },
  },
})
const threadCounts = wholes('threads', values.threads)
const rounds = whole('rounds', values.rounds)
const prompt = whole('prompt', values.prompt)
const steps = whole('steps', values.steps)
const promptIds = Int32Array.from({ length: prompt }, (_, i) => 100 + ((i * 7) % 1000)) // the same as the peer's in reference.cpp
const addon = loadAddon()

/** Generates one reply; returns the times of its prompt and of its steps. */
async function reply(session, length) {
  session.reset()
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

async function withSession(path, threads, work) {
  const model = await addon.loadModel(path, { threads, contextLength: prompt + steps + 64 })
  try {
    return await work(model.createSession())
  } finally {
    model.dispose()
  }
}

function versusLlamaCpp(threads, path) {
  const peer = new Peer(llamaCppReference(), ['speed', path, String(threads), String(prompt + steps)])
  return withSession(path, threads, async session => {
    const pair = [['moss', 'llama.cpp']]
    const part = async (mine, theirs) => compare(await inTurn({ moss: mine, 'llama.cpp': theirs }, rounds), pair)
    const prefill = await part(
      async () => (await reply(session, 1)).prompt,
      async () => (await peer.ask({ prompt, steps: 0 })).prompt,
    )
    // The last token of a reply is sampled but not read, so a reply of steps + 1 tokens takes `steps` steps.
    const decode = await part(
      async () => (await reply(session, steps + 1)).rest,
      async () => (await peer.ask({ prompt, steps })).steps,
    )
    return {
      threads,
      prompt: { ...prefill, tokensASecond: speeds(prefill, prompt) },
      steps: { ...decode, tokensASecond: speeds(decode, steps) },
    }
  }).finally(() => peer.end())
}

/** How much longer a step with a second tail takes, and how much more it reads. */
async function secondTail(threads, one, two) {
  return withSession(one.path, threads, single =>
    withSession(two.path, threads, async split => {
      const step = session => async () => (await reply(session, steps)).rest
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
const [one, two] = [await layerSplit(0), await layerSplit(4)]
const results = []
const tails = []
for (const threads of threadCounts) {
  results.push(await versusLlamaCpp(threads, path))
  tails.push(await secondTail(threads, one, two))
}
report({ model: 'Qwen3-0.6B Q8_0', prompt, steps, rounds, results, secondTail: tails })
