// Writes lib/text/english/exceptions.json: the words for which the voices' lexicon (misaki's us_gold.json, Apache-2.0)
// differs from the CMU Pronouncing Dictionary. Needs `npm run build:ts` first.
//
//   node scripts/english-exceptions.mjs path/to/misaki/data/us_gold.json

import { readFileSync, writeFileSync } from 'node:fs'
import { dictionary } from 'cmu-pronouncing-dictionary'
import { arpabetToUnits } from '../dist/lib/text/english/arpabet.js'
import { onlyUnits } from '../dist/lib/text/units.js'

// The reduction of the teacher's alphabet to units, as in training/data/units.py.
const REDUCE = { ᵊ: 'ə', ᵻ: 'ɪ', ɐ: 'ə', ɾ: 't', ʔ: 't', Q: 'O', ɒ: 'ɑ', a: 'æ', g: 'ɡ' }

const gold = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const exceptions = {}
for (const [word, reading] of Object.entries(gold)) {
  const phonemes = typeof reading === 'string' ? reading : reading.DEFAULT
  const key = word.toLowerCase()
  if (!phonemes || !/^[a-z']+$/.test(key) || !Object.hasOwn(dictionary, key) || (word !== key && key in gold)) continue
  if (/^[A-Z]{2,}$/.test(word)) continue
  const units = onlyUnits([...phonemes].map(c => REDUCE[c] ?? c).join(''))
  if (units !== arpabetToUnits(dictionary[key])) exceptions[key] = units
}
const text = JSON.stringify(exceptions, null, 0).replaceAll('","', '",\n"')
writeFileSync(new URL('../lib/text/english/exceptions.json', import.meta.url), `${text}\n`)
console.log(`${Object.keys(exceptions).length} words, ${text.length} characters`)
