// The readings of 200 texts: dates, numbers, money, addresses, homographs, in English and Mandarin
// (test/text-cases.tsv). docs/text.md explains how the table was made, and the score of its held-out half.

import t from 'tap'
import { readCase, textCases } from './helpers/text-cases.js'

const cases = textCases()

t.test('the table', t => {
  t.equal(cases.length, 200)
  t.ok(cases.filter(({ half }) => half === 2).length >= 90, 'half of it was held out')
  t.ok(cases.every(({ expected }) => expected.every(reading => reading.trim() !== '')))
  t.end()
})

for (const half of [1, 2] as const) {
  t.test(half === 1 ? 'texts that guided the code' : 'texts that did not', async t => {
    for (const found of cases.filter(c => c.half === half)) {
      const read = await readCase(found)
      t.ok(found.expected.includes(read), `${found.kind}: ${found.written} ${found.word} → ${read}`)
    }
  })
}
