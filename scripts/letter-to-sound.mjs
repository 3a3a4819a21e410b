// Learns letter-to-sound rules, lib/text/english/letter-to-sound.json, from the CMU Pronouncing Dictionary. Prints the
// accuracy on held-out words; `--write` learns from all words and writes the file. Needs `npm run build:ts` first.
//
// 1. Each letter is aligned with 0–2 sounds of its word (hard expectation-maximization). 2. For every letter, contexts
// are tried from narrow to wide, and kept if their majority differs from the prediction of narrower ones.

import { writeFileSync } from 'node:fs'
import { dictionary } from 'cmu-pronouncing-dictionary'
import { arpabetToUnits } from '../dist/lib/text/english/arpabet.js'

const CONTEXTS = [
  [0, 0],
  [0, 1],
  [1, 1],
  [1, 2],
  [2, 2],
  [1, 4],
  [2, 4],
  [3, 3],
  [4, 4],
] // letters to the left and to the right
const MIN_COUNT = 2
const ROUNDS = 8

/** A sound is a unit with the stress mark before it. */
const soundsOf = units => units.match(/[ˈˌ]?[^ˈˌ]/gu) ?? []

function countUp(map, key, by = 1) {
  map.set(key, (map.get(key) ?? 0) + by)
}

/** Finds the cheapest alignment of each letter with 0–2 sounds, by the Viterbi algorithm over (letters, sounds). */
function align(letters, sounds, cost) {
  const width = sounds.length + 1
  const best = new Float64Array((letters.length + 1) * width).fill(Infinity)
  const step = new Uint8Array(best.length)
  best[0] = 0
  for (let i = 0; i < letters.length; i++) {
    for (let j = 0; j < width; j++) {
      const sofar = best[i * width + j]
      if (sofar === Infinity) continue
      for (let n = 0; n <= 2 && j + n < width; n++) {
        const next = sofar + cost(letters[i], sounds.slice(j, j + n).join(''))
        const at = (i + 1) * width + j + n
        if (next < best[at]) {
          best[at] = next
          step[at] = n
        }
      }
    }
  }
  if (best.at(-1) === Infinity) return undefined
  const chunks = []
  for (let i = letters.length, j = sounds.length; i > 0; i--) {
    const n = step[i * width + j]
    chunks.unshift(sounds.slice(j - n, j).join(''))
    j -= n
  }
  return chunks
}

function alignAll(words) {
  let counts = new Map()
  let totals = new Map()
  let aligned = []
  for (let round = 0; round < ROUNDS; round++) {
    const cost = (letter, chunk) =>
      round === 0
        ? [2, 1, 3][soundsOf(chunk).length]
        : -Math.log(((counts.get(`${letter} ${chunk}`) ?? 0) + 0.01) / ((totals.get(letter) ?? 0) + 1))
    const nextCounts = new Map()
    const nextTotals = new Map()
    aligned = []
    for (const [word, units] of words) {
      const chunks = align([...word], soundsOf(units), cost)
      if (!chunks) continue
      aligned.push([word, chunks])
      chunks.forEach((chunk, i) => {
        countUp(nextCounts, `${word[i]} ${chunk}`)
        countUp(nextTotals, word[i])
      })
    }
    counts = nextCounts
    totals = nextTotals
  }
  return aligned
}

function contextOf(word, i, [left, right]) {
  const padded = `####${word}####`
  return `${padded.slice(i + 4 - left, i + 4)}${left > 0 || right > 0 ? '.' : ''}${padded[i + 4]}${padded.slice(i + 5, i + 5 + right)}`
}

function learn(words) {
  const aligned = alignAll(words)
  const rules = {}
  for (const [level, context] of CONTEXTS.entries()) {
    const seen = new Map()
    for (const [word, chunks] of aligned) {
      chunks.forEach((chunk, i) => {
        const key = contextOf(word, i, context)
        if (!seen.has(key)) seen.set(key, { chunks: new Map(), narrower: predict(rules, word, i, level) })
        countUp(seen.get(key).chunks, chunk)
      })
    }
    for (const [key, { chunks, narrower }] of seen) {
      const [[chunk, count]] = [...chunks].sort((a, b) => b[1] - a[1])
      if (count >= MIN_COUNT && chunk !== narrower) rules[key] = chunk
    }
  }
  return rules
}

function predict(rules, word, i, levels = CONTEXTS.length) {
  for (let level = levels - 1; level >= 0; level--) {
    const chunk = rules[contextOf(word, i, CONTEXTS[level])]
    if (chunk !== undefined) return chunk
  }
  return ''
}

const words = Object.entries(dictionary)
  .filter(([word]) => /^[a-z]+$/.test(word))
  .map(([word, phones]) => [word, arpabetToUnits(phones)])
const say = (rules, word) => [...word].map((_, i) => predict(rules, word, i)).join('')
const bare = units => units.replace(/[ˈˌ]/g, '')

const heldOut = words.filter((_, i) => i % 20 === 0)
const rules = learn(words.filter((_, i) => i % 20 !== 0))
const right = heldOut.filter(([word, units]) => say(rules, word) === units).length
const rightBare = heldOut.filter(([word, units]) => bare(say(rules, word)) === bare(units)).length
console.log(
  `${heldOut.length} words left out: ${((100 * right) / heldOut.length).toFixed(1)} % right, ${((100 * rightBare) / heldOut.length).toFixed(1)} % but for stress`,
)
console.log(`${Object.keys(rules).length} rules`)
if (process.argv.includes('--write')) {
  const text = JSON.stringify({ contexts: CONTEXTS, rules: learn(words) })
  writeFileSync(new URL('../lib/text/english/letter-to-sound.json', import.meta.url), `${text}\n`)
  console.log(`${text.length} characters written`)
}
