// Writes lib/text/english/homographs.json: words that are read in more than one way, by part of speech (live, record)
// or by capitals (Polish, NASA, US), from the voices' lexicon (misaki's us_gold.json, Apache-2.0).
//
//   node scripts/english-homographs.mjs path/to/misaki/data/us_gold.json
//
// { bySpeech: { record: { default: 'ɹˈɛkəɹd', verb: 'ɹəkˈɔɹd' } }, byCapitals: { Polish: 'pˈOlɪʃ', NASA: 'nˈæsə', US:
// '' } }; '' means letter by letter.

import { readFileSync, writeFileSync } from 'node:fs'
import { onlyUnits } from '../dist/lib/text/units.js'

// The reduction of the teacher's alphabet to units, as in training/data/units.py.
const REDUCE = { ᵊ: 'ə', ᵻ: 'ɪ', ɐ: 'ə', ɾ: 't', ʔ: 't', Q: 'O', ɒ: 'ɑ', a: 'æ', g: 'ɡ' }
// Words that, in capitals, are emphasized words more often than abbreviations.
const WORDS = /^(?:ADD|AH|AM|AS|BE|HE|HI|HM|HMM|IN|IS|ME|OH|OR|RE|TA)$/
const PARTS = { NOUN: 'noun', VERB: 'verb', VBD: 'past', VBN: 'past', ADJ: 'adjective', ADV: 'adverb' }

const gold = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const toUnits = phonemes => onlyUnits([...phonemes].map(c => REDUCE[c] ?? c).join(''))
const lowerReading = word => {
  const found = gold[word.toLowerCase()]
  return found === undefined ? undefined : toUnits(typeof found === 'string' ? found : found.DEFAULT)
}

const bySpeech = {}
const byCapitals = {}
for (const [word, reading] of Object.entries(gold)) {
  if (!/^[A-Za-z]+$/.test(word)) continue
  const isLower = word === word.toLowerCase()
  if (typeof reading === 'string' || word.length < 2) {
    const units = toUnits(typeof reading === 'string' ? reading : reading.DEFAULT)
    if (!isLower && word.length > 1 && (/^[A-Z]+$/.test(word) || lowerReading(word) !== units)) byCapitals[word] = units
  } else if (!isLower) {
    if (reading.NOUN === null && !WORDS.test(word)) byCapitals[word] = ''
  } else {
    const standard = toUnits(reading.DEFAULT)
    const others = Object.entries(reading)
      .filter(([part, phonemes]) => part in PARTS && phonemes && toUnits(phonemes) !== standard)
      .map(([part, phonemes]) => [PARTS[part], toUnits(phonemes)])
    if (others.length > 0) bySpeech[word] = { default: standard, ...Object.fromEntries(others) }
  }
}
// A capitalized word whose lower-case form is not in the lexicon has only one reading.
for (const word of Object.keys(byCapitals))
  if (!/^[A-Z]+$/.test(word) && lowerReading(word) === undefined) delete byCapitals[word]
const text = JSON.stringify({ bySpeech, byCapitals })
  .replace(/":\{"default/g, '":\n{"default')
  .replaceAll('","', '",\n"')
  .replaceAll('},"', '},\n"')
writeFileSync(new URL('../lib/text/english/homographs.json', import.meta.url), `${text}\n`)
console.log(
  `${Object.keys(bySpeech).length} by part of speech, ${Object.keys(byCapitals).length} by capitals, ${text.length} characters`,
)
