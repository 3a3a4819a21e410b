import * as library from '@huggingface/tokenizers'
import { ModelFormatError } from '../errors.js'

/*
 * The bundle's tokenizer (a Hugging Face tokenizer.json), for the worker thread: a large vocabulary takes a second to read.
 */

export interface Tokenizer {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] }
  decode(ids: number[], options: { skip_special_tokens: boolean }): string
  id_to_token(id: number): string | undefined
  get_added_tokens_decoder(): Map<number, { content: string; special: boolean }>
}

// The library's own declarations do not resolve under Node's module rules (their relative paths lack extensions).
const { Tokenizer } = library as unknown as { Tokenizer: new (tokenizer: object, config: object) => Tokenizer }

/** A tokenizer.json. */
interface Definition {
  model: { vocab?: unknown; merges?: unknown }
}

const tokenizers = new Map<number, { tokenizer: Tokenizer; special: ReadonlySet<number> }>()

/** Makes the tokenizer `key` of the JSON text. Throws {@link ModelFormatError}. */
export function loadTokenizer(key: number, json: string): undefined {
  addTokenizer(key, json, {})
  return undefined
}

/**
 * Makes the tokenizer `key`.
 *
 * @param json - a tokenizer.json, as text or parsed; its vocabulary and merges are emptied
 * @param config - fields of a tokenizer_config.json that the library reads
 * @throws {@link ModelFormatError}
 */
export function addTokenizer(key: number, json: string | object, config: object): void {
  try {
    const definition = (typeof json === 'string' ? JSON.parse(json) : json) as Definition
    const tokenizer = new Tokenizer(definition, config)
    forgetTables(definition)
    const added = [...tokenizer.get_added_tokens_decoder()].filter(([, token]) => token.special)
    tokenizers.set(key, { tokenizer, special: new Set(added.map(([id]) => id)) })
  } catch (cause) {
    throw unusable('cannot be read', cause)
  }
}

function unusable(what: string, cause: unknown): ModelFormatError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new ModelFormatError(`the bundle's tokenizer ${what}: ${reason}`, { key: 'tokenizer' }, { cause })
}

/**
 * The library keeps what it was made of beside the tables that it made: of a large vocabulary 30 MB, which it does not read again.
 * (Merges that are texts it has copied.)
 */
function forgetTables({ model }: Definition): void {
  model.vocab = {}
  if (Array.isArray(model.merges)) model.merges.length = 0
}

/** Frees the tokenizer `key`. */
export function freeTokenizer(key: number): undefined {
  tokenizers.delete(key)
  return undefined
}

/** What stands under `key`. */
export function tokenizerOf(key: number): { tokenizer: Tokenizer; special: ReadonlySet<number> } {
  const found = tokenizers.get(key)
  if (!found) throw new Error(`no tokenizer ${key}`)
  return found
}

/** Text as ids. The library reads parts of a tokenizer.json only here: throws {@link ModelFormatError} where they do not fit. */
export function tokenize(tokenizer: Tokenizer, text: string): number[] {
  try {
    return tokenizer.encode(text, { add_special_tokens: false }).ids
  } catch (cause) {
    throw unusable('cannot read a text', cause)
  }
}

/** Text as ids. Control tokens that are spelled out in the text are left out: a user's words cannot end the user's turn. */
export function encodeText(key: number, text: string): Int32Array<ArrayBuffer> {
  const { tokenizer, special } = tokenizerOf(key)
  return Int32Array.from(tokenize(tokenizer, text).filter(id => !special.has(id)))
}

/** Ids as text, without control tokens. */
export function decodeText(key: number, ids: Int32Array): string {
  if (ids.length === 0) return ''
  try {
    return tokenizerOf(key).tokenizer.decode([...ids], { skip_special_tokens: true })
  } catch (cause) {
    throw unusable('cannot write a text', cause)
  }
}
