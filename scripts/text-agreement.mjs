// Measures how well the text front end agrees with the phonemes of the teacher's corpus (see training/README.md). Needs
// `npm run build:ts` first.
//
//   node scripts/text-agreement.mjs path/to/teacher/manifest.jsonl

import { readFileSync } from 'node:fs'
import { englishToUnits } from '../dist/lib/text/english/units.js'
import { mandarinToUnits } from '../dist/lib/text/mandarin/words.js'
import { spokenTones, syllableToUnits } from '../dist/lib/text/mandarin/pinyin.js'
import { onlyUnits } from '../dist/lib/text/units.js'

// The reduction of the teacher's alphabet to units, as in training/data/units.py.
const REDUCE = { ᵊ: 'ə', ᵻ: 'ɪ', ɐ: 'ə', ɾ: 't', ʔ: 't', Q: 'O', ɒ: 'ɑ', ';': ',', ':': ',', '—': ',' }

function reduce({ phonemes, lang }) {
  const table = lang === 'en' ? { ...REDUCE, a: 'æ' } : REDUCE
  const units = onlyUnits([...phonemes].map(c => table[c] ?? c).join('')).trim()
  return lang === 'zh' ? spokenTones(units) : units
}

function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (const [i, x] of a.entries()) {
    const next = [i + 1]
    for (const [j, y] of b.entries()) next.push(Math.min(row[j + 1] + 1, next[j] + 1, row[j] + (x === y ? 0 : 1)))
    row = next
  }
  return row.at(-1)
}

const table = JSON.parse(readFileSync(new URL('../lib/text/mandarin/pinyin-units.json', import.meta.url), 'utf8'))
const SYLLABLES = Object.keys(table).flatMap(base => [1, 2, 3, 4, 5].map(tone => syllableToUnits(`${base}${tone}`)))
const KNOWN = new Set(SYLLABLES)
const LONGEST = Math.max(...SYLLABLES.map(units => units.length))

/** Splits Mandarin units into syllables, trying the longest ones first. Everything else is left out. */
function syllables(units) {
  const out = []
  for (let at = 0; at < units.length;) {
    let length = Math.min(LONGEST, units.length - at)
    while (length > 1 && !KNOWN.has(units.slice(at, at + length))) length--
    if (KNOWN.has(units.slice(at, at + length))) out.push(units.slice(at, at + length))
    at += length
  }
  return out
}

const rows = readFileSync(process.argv[2], 'utf8')
  .trim()
  .split('\n')
  .map(line => JSON.parse(line))
const differences = new Map()

async function compare(name, wanted, pieces, toUnits) {
  let [sentences, total, wrong] = [0, 0, 0]
  for (const row of wanted) {
    const [theirs, ours] = [pieces(reduce(row)), pieces(await toUnits(row.text))]
    total += theirs.length
    const errors = distance(theirs, ours)
    wrong += errors
    if (errors === 0) sentences++
    else if (theirs.length === ours.length) {
      theirs.forEach((piece, i) => {
        const key = `${ours[i]} for ${piece}`
        if (piece !== ours[i]) differences.set(key, (differences.get(key) ?? 0) + 1)
      })
    }
  }
  const percent = n => `${(100 * n).toFixed(2)} %`
  console.log(
    `${name}: ${percent(wrong / total)} of ${total} differ; ${percent(sentences / wanted.length)} of ${wanted.length} sentences are equal`,
  )
}

// Only American voices, because British ones have another lexicon.
const american = rows.filter(row => row.lang === 'en' && !/b[fm]_/.test(row.voice))
await compare('English words', american, units => units.split(' '), englishToUnits)
await compare(
  'Mandarin syllables with tones',
  rows.filter(row => row.lang === 'zh'),
  syllables,
  mandarinToUnits,
)
const frequent = [...differences].sort((a, b) => b[1] - a[1]).slice(0, 25)
console.log(frequent.map(([key, count]) => `${String(count).padStart(6)}  ${key}`).join('\n'))
