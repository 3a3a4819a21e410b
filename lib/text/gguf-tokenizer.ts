import { ModelFormatError, UnsupportedError } from '../errors.js'

/*
 * Converts the tokenizer of a GGUF file as llama.cpp writes it (keys `tokenizer.ggml.*`) to a Hugging Face
 * tokenizer.json.
 */

/** A GGUF file's keys and values. */
export type GgufMetadata = ReadonlyMap<string, { readonly value: unknown }>

/** `tokenizer.ggml.token_type`. */
const CONTROL = 3
const USER_DEFINED = 4

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
const REST = String.raw` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
/** The regular expression of GPT-4's tokenizer. The quantifier `digits` says how numbers are cut. */
const gpt4 = (digits: string): string => String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}${digits}|${REST}`
/** The regular expression of Mistral's Tekken, which splits words by case. */
const TEKKEN = String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

interface PreTokenizer {
  /** Regular expressions, each of which splits the pieces that the previous one left. */
  splits: string[]
  /** Words that are in the vocabulary become one token without applying merges. */
  ignoreMerges?: boolean
  addBos?: boolean
  normalizer?: object
}

const LLAMA3: PreTokenizer = { splits: [gpt4('{1,3}')], ignoreMerges: true, addBos: true }
const QWEN: PreTokenizer = { splits: [gpt4('')], normalizer: { type: 'NFC' } }
const DIGITS_AND_GPT2: PreTokenizer = { splits: [String.raw`\p{N}`, GPT2] }
const ONLY_GPT2: PreTokenizer = { splits: [GPT2] }
/** The pre-tokenizer for files that name none. */
const DEFAULT: PreTokenizer = {
  splits: [String.raw`[\p{P}\$\+<=>\^~\|]+`, GPT2, String.raw`\p{N}+`, '[0-9][0-9][0-9]'],
}

/** The pre-tokenizers by the value of `tokenizer.ggml.pre` in Llama-like and Qwen3 models. */
const PRE_TOKENIZERS: Readonly<Record<string, PreTokenizer>> = {
  default: DEFAULT,
  'llama-bpe': LLAMA3,
  llama3: LLAMA3,
  'llama-v3': LLAMA3,
  falcon3: LLAMA3,
  pixtral: LLAMA3,
  'smaug-bpe': { splits: [gpt4('{1,3}')] },
  tekken: { splits: [TEKKEN], ignoreMerges: true, addBos: true },
  qwen2: QWEN,
  'deepseek-r1-qwen': QWEN,
  smollm: DIGITS_AND_GPT2,
  starcoder: DIGITS_AND_GPT2,
  refact: DIGITS_AND_GPT2,
  'gpt-2': ONLY_GPT2,
  'phi-2': ONLY_GPT2,
  mpt: ONLY_GPT2,
  olmo: ONLY_GPT2,
  jais: ONLY_GPT2,
}

/** The regular expressions of a tokenizer.json's pre-tokenizer; undefined if it does more than split. */
function splitsOf(pre: unknown): string[] | undefined {
  const { type, pretokenizers, pattern, use_regex, individual_digits } = (pre ?? {}) as Record<string, unknown>
  if (type === 'Sequence' && Array.isArray(pretokenizers)) {
    const parts = pretokenizers.map(splitsOf)
    return parts.every(part => part !== undefined) ? parts.flat() : undefined
  }
  if (type === 'ByteLevel') return use_regex === false ? [] : [GPT2]
  if (type === 'Digits' && individual_digits === true) return [String.raw`\p{N}`]
  const regex = type === 'Split' ? (pattern as { Regex?: unknown } | undefined)?.Regex : undefined
  return typeof regex === 'string' ? [regex] : undefined
}

/** llama.cpp's name for a tokenizer.json's pre-tokenizer; undefined if it is not known. */
export function preTokenizerName(pre: unknown): string | undefined {
  const splits = JSON.stringify(splitsOf(pre))
  const names = ['qwen2', 'llama-bpe', 'smollm', 'gpt-2', 'tekken']
  return names.find(name => JSON.stringify(PRE_TOKENIZERS[name]?.splits) === splits)
}

/** Reads keys, and throws an error that names the key if it is missing or of another type. */
export class Keys {
  constructor(readonly metadata: GgufMetadata) {}

  #get<T>(key: string, expected: string, is: (value: unknown) => value is T): T | undefined {
    const value = this.metadata.get(key)?.value
    if (value === undefined || is(value)) return value
    const found = Array.isArray(value) ? 'an array of other values' : typeof value
    throw new ModelFormatError(`${key}: expected ${expected}, found ${found}`, { name: key, expected, found })
  }

  string(key: string): string | undefined {
    return this.#get(key, 'a string', v => typeof v === 'string')
  }

  boolean(key: string): boolean | undefined {
    return this.#get(key, 'a boolean', v => typeof v === 'boolean')
  }

  number(key: string): number | undefined {
    return this.#get(key, 'a number', v => typeof v === 'number')
  }

  strings(key: string): readonly string[] | undefined {
    return this.#get(key, 'strings', (v): v is string[] => Array.isArray(v) && v.every(s => typeof s === 'string'))
  }

  numbers(key: string, count: number): readonly number[] | undefined {
    const expected = `${count} numbers`
    return this.#get(key, expected, (v): v is number[] => {
      return Array.isArray(v) && v.length === count && v.every(n => typeof n === 'number')
    })
  }
}

function missing(key: string): never {
  throw new ModelFormatError(`${key}: the file has no such key`, {
    name: key,
    expected: 'a tokenizer',
    found: 'no such key',
  })
}

/** A tokenizer.json, and whether a text begins with the beginning-of-sequence token. */
export interface GgufTokenizer {
  json: object
  addBos: boolean
}

/**
 * Reads the file's tokenizer: byte-level BPE (`gpt2`) or SentencePiece's BPE (`llama`).
 *
 * @throws {@link ModelFormatError} a key is missing or of another type; {@link UnsupportedError} another kind of tokenizer.
 */
export function ggufTokenizer(metadata: GgufMetadata): GgufTokenizer {
  const keys = new Keys(metadata)
  const kind = keys.string('tokenizer.ggml.model') ?? missing('tokenizer.ggml.model')
  const tokens = keys.strings('tokenizer.ggml.tokens') ?? missing('tokenizer.ggml.tokens')
  const types = keys.numbers('tokenizer.ggml.token_type', tokens.length) ?? tokens.map(() => 1)
  const added_tokens = tokens.flatMap((content, id) => {
    const special = types[id] === CONTROL
    return (special || types[id] === USER_DEFINED) && content
      ? [{ id, content, special, single_word: false, lstrip: false, rstrip: false, normalized: false }]
      : []
  })
  if (kind === 'gpt2') return byteLevel(keys, tokens, added_tokens)
  if (kind === 'llama') return sentencePiece(keys, tokens, added_tokens)
  throw new UnsupportedError(
    `tokenizer.ggml.model: ${kind} tokenizers are not supported; gpt2 (byte-level BPE) and llama (SentencePiece) are`,
    { key: 'tokenizer.ggml.model', found: kind },
  )
}

function byteLevel(keys: Keys, tokens: readonly string[], added_tokens: object[]): GgufTokenizer {
  const name = keys.string('tokenizer.ggml.pre') ?? 'default'
  const pre = Object.hasOwn(PRE_TOKENIZERS, name) ? PRE_TOKENIZERS[name] : undefined
  if (!pre) {
    throw new UnsupportedError(
      `tokenizer.ggml.pre: the pre-tokenizer ${name} is not supported; \`moss-speech convert\` copies the tokenizer of the Hugging Face checkpoint`,
      { key: 'tokenizer.ggml.pre', found: name },
    )
  }
  const merges = keys.strings('tokenizer.ggml.merges') ?? missing('tokenizer.ggml.merges')
  const vocab = vocabularyOf(tokens)
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false }
  const json = {
    added_tokens,
    normalizer: pre.normalizer ?? null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        ...pre.splits.map(Regex => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false })),
        byteLevel,
      ],
    },
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      ignore_merges: pre.ignoreMerges ?? false,
      vocab,
      merges: merges.map(pair => {
        const space = pair.indexOf(' ', 1)
        return [pair.slice(0, space), pair.slice(space + 1)].map(piece => tokens[vocab[piece] ?? -1] ?? piece)
      }),
    },
  }
  return { json, addBos: keys.boolean('tokenizer.ggml.add_bos_token') ?? pre.addBos ?? false }
}

function sentencePiece(keys: Keys, tokens: readonly string[], added_tokens: object[]): GgufTokenizer {
  const scores = keys.numbers('tokenizer.ggml.scores', tokens.length) ?? missing('tokenizer.ggml.scores')
  const prefix = keys.boolean('tokenizer.ggml.add_space_prefix') ?? true
  const unknown = tokens[keys.number('tokenizer.ggml.unknown_token_id') ?? 0] ?? null
  const spaces = { type: 'Replace', pattern: { String: ' ' }, content: '▁' }
  const json = {
    added_tokens,
    normalizer: prefix
      ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, spaces] }
      : { type: 'Sequence', normalizers: [spaces] },
    pre_tokenizer: null,
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(prefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: 'BPE',
      byte_fallback: true,
      unk_token: unknown,
      vocab: vocabularyOf(tokens),
      merges: mergesOf(tokens, scores),
    },
  }
  return { json, addBos: keys.boolean('tokenizer.ggml.add_bos_token') ?? true }
}

/** Of equal tokens, the first one counts. */
function vocabularyOf(tokens: readonly string[]): Record<string, number> {
  const ids = Object.create(null) as Record<string, number>
  for (const [id, token] of tokens.entries()) ids[token] ??= id
  return ids
}

/**
 * SentencePiece joins the two neighbours that form the token with the highest score. So every pair of tokens or letters
 * that forms a token is a merge, ordered by score.
 */
function mergesOf(tokens: readonly string[], scores: readonly number[]): [string, string][] {
  const known = new Set(tokens)
  const merges: { pair: [string, string]; score: number }[] = []
  for (const [id, token] of tokens.entries()) {
    const letters = [...token]
    for (let i = 1, left = ''; i < letters.length; i++) {
      left += letters[i - 1]
      const right = token.slice(left.length)
      if ((i === 1 || known.has(left)) && (i === letters.length - 1 || known.has(right)))
        merges.push({ pair: [left, right], score: scores[id] ?? 0 })
    }
  }
  return merges.sort((a, b) => b.score - a.score).map(({ pair }) => pair)
}
