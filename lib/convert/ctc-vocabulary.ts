import { ModelFormatError, UnsupportedError } from '../errors.js'
import { Fields, isObject } from './fields.js'

/** The other files of a checkpoint: names → paths. */
type Files = ReadonlyMap<string, string>

/** The units of a CTC head in our order, with the blank first, and how they are turned into text. */
export interface CtcVocabulary {
  units: string[]
  /** For each unit, its row in the weight matrix of the checkpoint's head. */
  rows: number[]
  wordDelimiter: string
  separator: string
  lowerCase: boolean
  /** Units that are not text. */
  special: number[]
}

const PHONEMES = 'Wav2Vec2PhonemeCTCTokenizer'

/**
 * Reads `vocab.json` and the files that belong to it: `tokenizer_config.json`, `special_tokens_map.json`,
 * `added_tokens.json`.
 *
 * @param size - the number of rows of the head; some may have no token
 * @param pad - config.json's pad_token_id, which is the blank if the tokenizer names none
 */
export function ctcVocabulary(files: Files, size: number, pad: number): CtcVocabulary {
  const config = Fields.read(files, 'tokenizer_config.json')
  const map = Fields.read(files, 'special_tokens_map.json')
  const tokens = tokensById(files, config, size)
  const named = (name: string, fallback: string): string =>
    tokenText(config.get(name)) ?? tokenText(map.get(name)) ?? fallback

  const padToken = tokens.indexOf(named('pad_token', '<pad>'))
  const blank = padToken >= 0 ? padToken : pad
  if (blank >= size) {
    throw new ModelFormatError(
      `config.json: pad_token_id: expected a unit of the head, below ${size}, found ${blank}`,
      {
        name: 'pad_token_id',
      },
    )
  }
  const rows = [blank, ...tokens.keys()].filter((row, i) => i === 0 || row !== blank)
  const units = rows.map(row => tokens[row] ?? '')
  const noText = new Set(['', named('bos_token', '<s>'), named('eos_token', '</s>'), named('unk_token', '<unk>')])
  const phonemes = config.string('tokenizer_class', '') === PHONEMES
  return {
    units,
    rows,
    wordDelimiter: tokenText(config.get('word_delimiter_token')) ?? (phonemes || declaresNone(config) ? '' : '|'),
    separator: phonemes ? ' ' : '',
    lowerCase: config.boolean('do_lower_case', false),
    special: [...units.keys()].filter(i => i > 0 && noText.has(units[i] ?? '')),
  }
}

/** `word_delimiter_token: null` says that there are no words. */
const declaresNone = (config: Fields): boolean => config.keys().includes('word_delimiter_token')

/** The token of each row, or ''. */
function tokensById(files: Files, config: Fields, size: number): string[] {
  if (!files.has('vocab.json')) {
    throw new ModelFormatError('vocab.json: expected beside a checkpoint with a CTC head, found no such file', {
      name: 'vocab.json',
    })
  }
  const tokens = Array.from({ length: size }, () => '')
  const put = (token: string, id: unknown): void => {
    if (!Number.isSafeInteger(id) || (id as number) < 0) {
      throw new ModelFormatError(`vocab.json: ${JSON.stringify(token)}: expected an id, found ${JSON.stringify(id)}`, {
        name: token,
      })
    }
    // Tokens beyond the rows of the head exist only in the tokenizer; the network cannot output them.
    if ((id as number) < size) tokens[id as number] = token
  }
  const added = Fields.read(files, 'added_tokens.json')
  for (const token of added.keys()) put(token, added.get(token))
  const decoder = config.get('added_tokens_decoder')
  for (const [id, token] of Object.entries(isObject(decoder) ? decoder : {})) put(tokenText(token) ?? '', Number(id))
  const vocabulary = ofLanguage(Fields.read(files, 'vocab.json'), config)
  for (const token of vocabulary.keys()) put(token, vocabulary.get(token))
  return tokens
}

/** Selects the language if the vocabulary has several. */
function ofLanguage(vocabulary: Fields, config: Fields): Fields {
  if (!vocabulary.keys().some(key => isObject(vocabulary.get(key)))) return vocabulary
  const language = config.string('target_lang', '')
  const nested = vocabulary.get(language)
  if (isObject(nested)) return Fields.of(`vocab.json: ${language}`, nested)
  const flag = 'target_lang'
  throw new UnsupportedError(
    `tokenizer_config.json: ${flag} = ${JSON.stringify(language)}: vocab.json holds ${vocabulary.keys().length} languages; ` +
      `set ${flag} to one of them`,
    { flag },
  )
}

/** A token is a string or an object that holds one. */
function tokenText(token: unknown): string | undefined {
  if (typeof token === 'string') return token
  return isObject(token) && typeof token.content === 'string' ? token.content : undefined
}
