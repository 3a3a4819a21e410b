// The table of texts with their expected readings (test/text-cases.tsv), and the readings of the text front end.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { englishTokens } from '../../dist/lib/text/english/units.js'
import { mandarinNumbers } from '../../dist/lib/text/mandarin/numbers.js'
import { mandarinWords } from '../../dist/lib/text/mandarin/words.js'
import { splitSentences } from '../../dist/lib/text/sentences.js'
import { root } from './model.js'

/** A line of the table. */
export interface TextCase {
  language: string
  kind: string
  written: string
  /** For homographs and polyphones: the word or character whose reading is tested. */
  word: string
  /** The accepted readings: words; for homographs units, for polyphones pinyin. ` / ` separates sentences. */
  expected: string[]
  /** The second half was not looked at while the code was written. */
  half: 1 | 2
}

export const textCases = (): TextCase[] =>
  readFileSync(join(root, 'test', 'text-cases.tsv'), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map(line => {
      const [language = '', kind = '', written = '', word = '', expected = ''] = line.split('\t')
      const half = (createHash('sha256').update(written).digest()[0] ?? 0) % 2 === 0 ? 1 : 2
      return { language, kind, written, word, expected: expected.split(' | '), half }
    })

const wordsOf = async (sentence: string): Promise<string> =>
  (await englishTokens(sentence))
    .map(({ word }) => word)
    .filter(Boolean)
    .join(' ')

/** The reading of the front end, in the notation of the table. */
export async function readCase({ language, kind, written, word }: TextCase): Promise<string> {
  if (kind === 'homograph')
    return (await englishTokens(written))
      .filter(token => token.word === word)
      .map(token => token.units)
      .join(' ')
  if (kind === 'polyphone') {
    const characters = [...written].filter(c => /\p{Script=Han}/u.test(c))
    const syllables = mandarinWords(written).flat().filter(syllable => /^[a-z]/.test(syllable)) // prettier-ignore
    const at = characters.join('').indexOf(word)
    return syllables.slice(at, at + [...word].length).join(' ')
  }
  const sentences = splitSentences(written)
  if (language === 'en') return (await Promise.all(sentences.map(wordsOf))).join(' / ')
  return sentences
    .map(sentence =>
      mandarinNumbers(sentence)
        .toLowerCase()
        .replace(/[\p{P}\s]/gu, ''),
    )
    .join(' / ')
}
