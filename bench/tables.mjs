/*
 * Writes the results of bench/all.mjs into docs/performance.md, between its markers, and to docs/scaling.svg.
 *
 *     node bench/tables.mjs docs/performance.json
 *
 * A table without measurements is left unchanged.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { scalingPlot } from './plot.mjs'

const docs = join(import.meta.dirname, '..', 'docs')
const page = join(docs, 'performance.md')

const table = (header, rows) =>
  [header, header.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
const times = n => `${n.toFixed(2)} ×`
const percent = n => `${(100 * n).toFixed(1)} %`
const verdict = met => (met ? 'met' : '**missed**')

/** The ratios of the measured pairs by wall-clock time and, in brackets, by processor time. */
function ratios({ timesFaster, timesFasterByCpu }, pair) {
  return pair in timesFaster ? `${times(timesFaster[pair])} (${times(timesFasterByCpu[pair])})` : '–'
}

function turn({ results }) {
  const header = ['threads', 'whole turn', 'listening', 'language model', 'speaking', 'first audio']
  return table(
    header,
    results.map(({ threads, rtf, parts, firstAudioMs }) => [
      threads,
      `${rtf} s`,
      `${parts.listen} s`,
      `${parts.lm} s`,
      `${parts.decode} s`,
      `${firstAudioMs.toFixed(0)} ms`,
    ]),
  )
}

function vits({ results }) {
  const types = Object.keys(results[0].medianMs).filter(name => name.startsWith('moss '))
  const rows = results.flatMap(result =>
    types.map(us => [
      result.threads,
      `${result.sentence}, ${result.seconds} s`,
      us.slice(5),
      `${result.medianMs[us].toFixed(0)} ms`,
      ratios(result, `${us} / onnxruntime`),
      ratios(result, `${us} / sherpa`),
    ]),
  )
  return table(['threads', 'sentence', 'type', 'time', 'faster than onnxruntime', 'than sherpa-onnx'], rows)
}

/** Requirements: [our type, the peer, the least factor by which we must be faster] */
const ENCODER_BARS = [
  ['f32', 'onnxruntime', 1],
  ['bf16', 'onnxruntime', undefined],
  ['q8_0', 'onnxruntime', 2],
  ['q8_0', 'onnxruntime-int8', 1],
  ['f32', 'transformers', undefined],
]
const PEERS = {
  onnxruntime: 'onnxruntime FP32',
  'onnxruntime-int8': 'onnxruntime INT8',
  transformers: 'transformers FP32',
}

function encoder({ results }) {
  const rows = results.flatMap(result =>
    ENCODER_BARS.map(([type, peer, least]) => {
      const pair = `moss ${type} / ${peer}`
      const bar = least === undefined ? ['', ''] : [`≥ ${least} ×`, verdict(result.timesFaster[pair] >= least)]
      return [result.size, result.threads, type, PEERS[peer], ratios(result, pair), ...bar]
    }),
  )
  return table(['shape', 'threads', 'ours', 'against', 'times faster', 'bar', ''], rows)
}

function agreement({ results }) {
  const firsts = results.filter(({ size }, i) => results.findIndex(other => other.size === size) === i)
  const rows = firsts.flatMap(({ size, agreement: agrees }) =>
    Object.entries(agrees).map(([name, { mean, least }]) => [
      size,
      name,
      mean.toFixed(5),
      least.toFixed(5),
      ...(name === 'moss q8_0' ? ['≥ 0.995', verdict(mean >= 0.995)] : ['', '']),
    ]),
  )
  return table(['shape', 'engine', 'cosine', 'of the worst frame', 'bar', ''], rows)
}

function lm({ results }) {
  const pair = 'moss / llama.cpp'
  const rows = results.flatMap(({ threads, prompt, steps }) =>
    Object.entries({ prompt, steps }).map(([part, measured]) => [
      threads,
      part,
      measured.tokensASecond.moss,
      measured.tokensASecond['llama.cpp'],
      ratios(measured, pair),
      '≥ 1 ×',
      verdict(measured.timesFaster[pair] >= 1),
    ]),
  )
  return table(['threads', 'part', 'tokens/s', "llama.cpp's", 'times faster', 'bar', ''], rows)
}

function tails({ secondTail }) {
  const rows = secondTail.map(({ threads, extraTime, extraCpuTime, extraBytes }) => [
    threads,
    `${percent(extraTime)} (${percent(extraCpuTime)})`,
    percent(extraBytes),
    verdict(extraTime <= extraBytes),
  ])
  return table(['threads', 'more time a step', 'more weights read', ''], rows)
}

const LARGE_FILE_MB = 500

function load({ results }) {
  const rows = results.map(({ model, result, firstResultMs: { warm, cold, node }, memory }) => [
    model,
    result,
    `${warm} ms`,
    typeof cold === 'number' ? `${cold} ms` : cold,
    `${node} ms`,
    `${memory.fileMb.toFixed(0)} MB`,
    `${memory.peakMb.toFixed(0)} MB`,
    times(memory.ofFile),
    memory.fileMb >= LARGE_FILE_MB ? `≤ 1.2 ×: ${verdict(memory.ofFile <= 1.2)}` : '',
  ])
  const header = ['model', 'first', 'warm', 'cold', 'of these Node', 'file', 'memory at most', 'of the file', 'bar']
  return table(header, rows)
}

/** The series of nano and of the imported voice in one list. */
const series = all =>
  ['scaling', 'scaling-voice'].flatMap(key =>
    (all[key]?.results ?? []).map(result => ({ voice: all[key].voice, ...result })),
  )

function scaling(all) {
  const header = ['voice', 'type', 'a second of speech', 'start', 'r²', 'farthest point']
  const rows = series(all).map(({ voice, type, wall }) => [
    voice,
    type,
    `${wall.secondsASecond} s`,
    `${wall.startMs} ms`,
    wall.r2,
    percent(wall.largestDeviation),
  ])
  return table(header, rows)
}

/** Names of the compute types. `i16` is 16-bit fixed point, in which BF16 weights are computed on CPUs without BF16. */
const MULTIPLIED = { f32: 'F32', bf16: 'BF16', i16: 'fixed point', q8_0: 'INT8' }

function peaks({ results }) {
  const giga = n => (n > 0 ? `${n} GMAC/s` : 'none')
  return table(
    ['threads', ...Object.values(MULTIPLIED), 'memory'],
    results.map(({ threads, gigaMultiplyAdds, gigabytesASecond }) => [
      threads,
      ...Object.keys(MULTIPLIED).map(type => giga(gigaMultiplyAdds[type])),
      `${gigabytesASecond} GB/s`,
    ]),
  )
}

function roofline({ results: [{ kernels }] }) {
  const names = [...new Set(kernels.map(({ name }) => name))]
  const share = (name, type) => {
    const kernel = kernels.find(k => k.name === name && k.type === type)
    return kernel ? `${(100 * kernel.ofRoofline).toFixed(0)} %` : '–'
  }
  const bound = name => kernels.find(k => k.name === name).bound
  const rows = names.map(name => [name, bound(name), ...Object.keys(MULTIPLIED).map(type => share(name, type))])
  return table(['kernel', 'bound by', ...Object.values(MULTIPLIED)], rows)
}

function machine({ machine: m, rounds }) {
  return `${m.cpu}, ${m.cores} cores, ${m.memoryGb} GB, ${m.platform}, Node ${m.node}; ${rounds} rounds; load average at the start ${m.loadAverage}.`
}

const all = JSON.parse(readFileSync(process.argv[2] ?? join(docs, 'performance.json'), 'utf8'))
const parts = {
  machine: () => machine(all),
  turn: () => all.turn && turn(all.turn),
  vits: () => all.vits && vits(all.vits),
  encoder: () => all.encoder && encoder(all.encoder),
  agreement: () => all.encoder && agreement(all.encoder),
  lm: () => all.lm && lm(all.lm),
  tails: () => all.lm && tails(all.lm),
  load: () => all.load && load(all.load),
  scaling: () => (series(all).length > 0 ? scaling(all) : undefined),
  peaks: () => all.roofline && peaks(all.roofline),
  roofline: () => all.roofline && roofline(all.roofline),
}
let text = readFileSync(page, 'utf8')
for (const [name, make] of Object.entries(parts)) {
  const made = make()
  if (made === undefined) continue
  const marked = new RegExp(`(<!-- ${name} -->\\n)[^]*?(\\n<!-- /${name} -->)`)
  if (!marked.test(text)) throw new Error(`${page} has no markers for ${name}`)
  text = text.replace(marked, (_, begin, end) => `${begin}\n${made}\n${end}`)
}
writeFileSync(page, text)
if (series(all).length > 0) {
  const lines = series(all).map(({ voice, type, wall }) => ({
    ...wall,
    name: voice === 'nano' ? voice : `${voice}, ${type}`,
  }))
  writeFileSync(join(docs, 'scaling.svg'), scalingPlot(lines))
}
