import * as library from '@huggingface/tokenizers'
import { ModelFormatError } from '../errors.js'

/*
 * The tokenizer of a bundle (a Hugging Face tokenizer.json). Runs in the worker thread, because reading a large
 * vocabulary takes a second.
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

/** Makes the tokenizer `key` from the JSON text. Throws {@link ModelFormatError}. */
export function loadTokenizer(key: number, json: string): undefined {
  addTokenizer(key, json, {})
  return undefined
}

/**
 * Makes the tokenizer `key`.
 *
 * @param json - a tokenizer.json, as text or parsed; its vocabulary and merges are cleared
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
 * Clears the definition from which the library has built its tables. The library keeps a reference to it (30 MB for a
 * large vocabulary), but does not read it again. (It copies merges that are given as texts.)
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

/** The tokenizer `key`. */
export function tokenizerOf(key: number): { tokenizer: Tokenizer; special: ReadonlySet<number> } {
  const found = tokenizers.get(key)
  if (!found) throw new Error(`no tokenizer ${key}`)
  return found
}

/**
 * Converts text to ids. The library reads parts of a tokenizer.json only now: throws {@link ModelFormatError} if they
 * are malformed.
 */
export function tokenize(tokenizer: Tokenizer, text: string): number[] {
  try {
    return tokenizer.encode(text, { add_special_tokens: false }).ids
  } catch (cause) {
    throw unusable('cannot read a text', cause)
  }
}

/**
 * Converts text to ids. Control tokens that are spelled out in the text are removed, so that a user's text cannot end
 * its own turn.
 */
export function encodeText(key: number, text: string): Int32Array<ArrayBuffer> {
  const { tokenizer, special } = tokenizerOf(key)
  return Int32Array.from(tokenize(tokenizer, text).filter(id => !special.has(id)))
}

/** Converts ids to text, without control tokens. */
export function decodeText(key: number, ids: Int32Array): string {
  if (ids.length === 0) return ''
  try {
    return tokenizerOf(key).tokenizer.decode([...ids], { skip_special_tokens: true })
  } catch (cause) {
    throw unusable('cannot write a text', cause)
  }
}
