// What nano hears: a fixed set of recordings of speakers who were not in training (test/audio/questions), and the
// effect of removing single networks on the answers.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadModel, type GenerateOptions, type Reply } from '../dist/lib/index.js'
import { withoutTensors } from './helpers/gguf.js'
import { root } from './helpers/model.js'
import { bare, edits, tonesOf } from './helpers/units.js'

interface Question {
  file: string
  lang: 'en' | 'zh'
  /** The only right answer, and its units. */
  reply: string
  units: string
  /** Units of the question. */
  said: string
}

const NANO = join(root, 'models', 'nano.gguf')
const FOLDER = join(root, 'test', 'audio', 'questions')
const QUESTIONS = JSON.parse(readFileSync(join(FOLDER, 'manifest.json'), 'utf8')) as Question[]
const isMandarin = ({ lang }: Question): boolean => lang === 'zh'
/** A subset, for effects that show in a few questions. */
const isThird = (_: unknown, i: number): boolean => i % 3 === 0
const skip = existsSync(NANO) ? false : 'models/nano.gguf is not there'

type Asked = [Question, Reply][]

/** Asks a model each question in a new session. */
async function ask(path: string, questions: Question[], options: GenerateOptions = {}): Promise<Asked> {
  const model = await loadModel(path, { threads: 1 })
  try {
    const asked: Asked = []
    for (const question of questions) {
      const session = model.createSession({ seed: 1 })
      const speech = join(FOLDER, question.file)
      asked.push([question, await session.generate({ speech }, { temperature: 0, ...options }).result()])
      await session.dispose()
    }
    return asked
  } finally {
    await model.dispose()
  }
}

let asked: Asked | undefined
/** nano's answers to all questions. */
const askNano = async (): Promise<Asked> => (asked ??= await ask(NANO, QUESTIONS))

const unitsOf = (reply: Reply): string => bare(reply.units.join(''))
const heardIn = (reply: Reply): string => bare((reply.heard?.units ?? []).map(({ unit }) => unit).join(''))
const countRight = (asked: Asked): number => asked.filter(([q, r]) => unitsOf(r) === q.units).length

/** The number of symbols that were heard wrong, and the number that were said. */
function misheard(asked: Asked, part = (units: string): string => units): [wrong: number, said: number] {
  const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0)
  return [
    sum(asked.map(([question, reply]) => edits(part(heardIn(reply)), part(question.said)))),
    sum(asked.map(([question]) => [...part(question.said)].length)),
  ]
}

// The least number of right answers, of 36. nano v0 gives 29 (81 %). The questions and the weights are fixed, so only rounding, which
// differs between processors, can change a close answer. The bound is for other weights: on as many newly drawn questions, a model that
// is right in 80 % of all would give 21 or fewer right answers once in 400 times, and one that is right in half of all would give 22 or
// more once in 8. If nano v0 were deaf to one of the two languages, it would give 12 or 17.
const LEAST_RIGHT = 22
// The largest share of units that may be heard wrongly. Of the 630 units that are said, nano v0 hears 72 wrongly (11 %).
const MOST_MISHEARD = 0.2

t.test('it answers people and voices it never heard', { skip }, async t => {
  const asked = await askNano()
  t.equal(asked.length, 36)
  const wrong = asked.filter(([q, r]) => unitsOf(r) !== q.units).map(([q, r]) => `${q.file}: ${r.text}, not ${q.reply}`)
  t.comment(`${countRight(asked)} answers of ${asked.length} are right, not: ${wrong.join('; ')}`)
  t.ok(countRight(asked) >= LEAST_RIGHT, 'what it says is right')
  t.ok(asked.filter(([q, r]) => r.text === q.reply).length >= LEAST_RIGHT, 'and what it writes')
  const [misunderstood, said] = misheard(asked)
  t.ok(misunderstood <= MOST_MISHEARD * said, `${misunderstood} of ${said} units are heard wrongly`)
})

t.test(
  'no transcript stands between: without the CTC head every answer is the same, to the last bit',
  { skip },
  async t => {
    const path = join(t.testdir(), 'no-ctc.gguf')
    withoutTensors(NANO, path, 'encoder.ctc.')
    const whole = (await askNano()).filter(isThird)
    const without = await ask(path, QUESTIONS.filter(isThird))
    for (const [i, [question, reply]] of whole.entries()) {
      const other = without[i]?.[1]
      t.same([other?.units, other?.text, other?.audio], [reply.units, reply.text, reply.audio], question.file)
      t.not(heardIn(reply), '')
      t.equal(other && heardIn(other), '', 'though nothing is transcribed')
    }
  },
)

t.test('without the aligner it is deaf', { skip }, async t => {
  const path = join(t.testdir(), 'no-aligner.gguf')
  withoutTensors(NANO, path, 'aligner.')
  const asked = await ask(path, QUESTIONS.filter(isThird))
  t.ok(countRight(asked) <= 1, 'one answer can be right by chance')
  t.ok(new Set(asked.map(([, reply]) => reply.text)).size <= asked.length / 3, 'it cannot tell questions apart')
})

t.test(
  "the card says that the aligner's attention does nothing: without it every answer has the same words",
  { skip },
  async t => {
    const path = join(t.testdir(), 'no-attention.gguf')
    withoutTensors(NANO, path, 'aligner.blk.0.attn_out.', 'aligner.blk.1.attn_out.')
    const whole = (await askNano()).filter(isThird)
    const without = await ask(path, QUESTIONS.filter(isThird))
    // This fails for a nano whose aligner attention works; then the model card must be changed.
    for (const [i, [question, reply]] of whole.entries()) {
      const other = without[i]?.[1]
      t.same([other?.units, other?.text], [reply.units, reply.text], question.file)
    }
  },
)

t.test('without the tone module it mistakes tones', { skip }, async t => {
  const path = join(t.testdir(), 'no-tone.gguf')
  withoutTensors(NANO, path, 'tone.')
  const [whole, said] = misheard(
    (await askNano()).filter(([question]) => isMandarin(question)),
    tonesOf,
  )
  const [without] = misheard(await ask(path, QUESTIONS.filter(isMandarin), { output: 'text' }), tonesOf)
  // nano v0: 14 and 32 of 79.
  t.ok(whole <= 0.3 * said, `${whole} of ${said} tones are heard wrongly`)
  t.ok(without >= 1.5 * whole && without >= 0.3 * said, `${without} without`)
})
