// Writes lib/text/mandarin/readings.json: words for which pinyin-pro's own dictionary differs from larger ones:
// pypinyin's phrases (MIT) and @pinyin-pro/data's modern words (ISC). A word for which these two differ is left
// unchanged, and so are 一 and 不, whose tones follow from their neighbours, and neutral tones.
//
//   npm install --no-save @pinyin-pro/data; pip install pypinyin
//   python -c 'import json; from pypinyin import phrases_dict as p; print(json.dumps({w: " ".join(x[0] for x in s) for w, s in p.phrases_dict.items()}))' > phrases.json
//   node scripts/mandarin-readings.mjs node_modules/@pinyin-pro/data/json/modern.json phrases.json

import { readFileSync, writeFileSync } from 'node:fs'
import { pinyin } from 'pinyin-pro'

const LONGEST = 5
/** Errors in the larger dictionaries. */
const WRONG = new Set(['落下', '查查', '塔什干', '不干', '马尾', '剪发被褐'])
const MARKED = /[āáǎàēéěèīíǐìōóǒòūúǔùǖǘǚǜńňǹ]/

const [modern, phrases] = process.argv.slice(2).map(path => JSON.parse(readFileSync(path, 'utf8')))

/** Whether the readings of a character differ, ignoring neutral tones, 一 and 不. */
function differs(word, a, b) {
  const [ours, theirs] = [a.split(' '), b.split(' ')]
  const characters = [...word]
  if (ours.length !== characters.length || theirs.length !== characters.length) return false
  return characters.some(
    (c, i) => !'一不'.includes(c) && ours[i] !== theirs[i] && MARKED.test(ours[i]) && MARKED.test(theirs[i]),
  )
}

const readings = {}
for (const word of new Set([...Object.keys(modern), ...Object.keys(phrases)])) {
  const found = [modern[word]?.[0], phrases[word]].filter(Boolean)
  const length = [...word].length
  if (length < 2 || length > LONGEST || WRONG.has(word) || !/^\p{Script=Han}+$/u.test(word)) continue
  if (found.length === 2 && differs(word, found[0], found[1])) continue
  if (differs(word, pinyin(word), found[0])) readings[word] = found[0]
}
const told = Object.entries(readings).sort((a, b) => a[0].length - b[0].length)
const text = JSON.stringify(Object.fromEntries(told)).replaceAll('","', '",\n"')
writeFileSync(new URL('../lib/text/mandarin/readings.json', import.meta.url), `${text}\n`)
console.log(`${told.length} words, ${text.length} characters`)
