// How 200 texts are read: dates, numbers, money, addresses, homographs; Mandarin likewise (test/text-cases.tsv). docs/text.md tells how the
// table came to be, and what the half of it that had not been looked at scored.

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
