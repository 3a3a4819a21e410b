/*
 * Measures how well our kernels use this machine: the share of the roofline that each reaches, with the shapes of real
 * models. Prints one JSON object.
 *
 *     node bench/roofline.mjs                          # builds bench/native first
 *     node bench/roofline.mjs --threads 1 --rounds 5 --kernels encoder
 *
 * `peak` is the number of multiply-adds a second of all threads, computed from registers alone; `bandwidth` is the
 * number of bytes a second read from memory. A kernel cannot be faster than its multiply-adds at the peak of its type,
 * nor than reading and writing its weights, input and output at the bandwidth: `ofRoofline` is the longer of these two
 * times divided by the kernel's time. Convolutions by Winograd's algorithm, which are measured beside the direct ones,
 * are counted with the multiplications of the direct algorithm, so theirs may exceed 1. One thread is measured in
 * processor time, which other programs disturb little.
 */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { buildNative } from '../scripts/native-build.mjs'
import { report, rounded, whole, wholes } from './harness.mjs'

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '1,2' },
    rounds: { type: 'string', default: '5' },
    kernels: { type: 'string', default: '' },
  },
})
const threadCounts = wholes('threads', values.threads)
const rounds = whole('rounds', values.rounds)
const program = buildNative('moss_kernel_bench')

function measure(threads) {
  const { status, stdout } = spawnSync(program, [String(threads), String(rounds), values.kernels], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error(`${program} ended with ${status}`)
  const { peak, bandwidth, kernels } = JSON.parse(stdout)
  const giga = n => rounded(n / 1e9, 1)
  return {
    threads,
    gigaMultiplyAdds: Object.fromEntries(Object.entries(peak).map(([type, each]) => [type, giga(each * threads)])),
    gigabytesASecond: giga(bandwidth),
    kernels: kernels.map(({ name, type, multiplications, bytes, seconds }) => {
      const [compute, memory] = [multiplications / (peak[type] * threads), bytes / bandwidth]
      return {
        name,
        type,
        gigaMultiplyAdds: giga(multiplications / seconds),
        bound: compute > memory ? 'compute' : 'memory',
        ofRoofline: rounded(Math.max(compute, memory) / seconds, 2),
      }
    }),
  }
}

report({ rounds, results: threadCounts.map(measure) })
