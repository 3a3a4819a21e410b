import { ModelFormatError } from '../errors.js'
import { preTokenizerName } from '../text/gguf-tokenizer.js'
import type { GgufWriter } from './gguf-writer.js'
import { readJson, readText, type Source } from './source.js'

/** llama.cpp's token types. */
const [NORMAL, CONTROL, USER_DEFINED, UNUSED, BYTE] = [1, 3, 4, 5, 6]

interface Added {
  id: number
  content: string
  special?: boolean
}

interface TokenizerJson {
  added_tokens?: Added[]
  pre_tokenizer?: unknown
  model: {
    type?: string
    vocab: Record<string, number>
    merges: (string | [string, string])[]
    byte_fallback?: boolean
    unk_token?: string | null
  }
}

type Named = string | { content?: unknown } | null | undefined

/**
 * Writes the tokenizer and chat template of a checkpoint: as the whole tokenizer.json, which this package reads, and as
 * the keys that llama.cpp reads.
 *
 * @throws {@link ModelFormatError}
 */
export function writeTokenizer(source: Source, to: GgufWriter, vocabulary: number): void {
  const text = required(source, 'tokenizer.json')
  const json = parse(text)
  const { vocab, merges, byte_fallback: bytes = false, unk_token: unknown } = json.model
  const added = json.added_tokens ?? []
  const tokens = Array.from({ length: vocabulary }, (_, id) => `[PAD${id}]`)
  const types = tokens.map(() => UNUSED)
  const put = (token: string, id: number, type: number): void => {
    if (!Number.isInteger(id) || id < 0) throw broken(`the id of ${JSON.stringify(token)}`, String(id))
    if (id >= vocabulary) throw broken(`ids below ${vocabulary}, the rows of the embedding`, `${id} (${token})`)
    tokens[id] = token
    types[id] = type
  }
  for (const [token, id] of Object.entries(vocab))
    put(token, id, bytes && /^<0x[0-9A-F]{2}>$/.test(token) ? BYTE : NORMAL)
  for (const { content, id, special } of added) put(content, id, special ? CONTROL : USER_DEFINED)

  to.set('tokenizer.huggingface.json', text)
  to.set('tokenizer.ggml.model', bytes ? 'llama' : 'gpt2')
  to.set('tokenizer.ggml.tokens', tokens, 'string')
  to.set('tokenizer.ggml.token_type', types, 'i32')
  if (bytes) {
    // The ids of SentencePiece's tokens are ordered by score, and a tokenizer.json does not have the scores themselves.
    to.set(
      'tokenizer.ggml.scores',
      tokens.map((_, id) => (types[id] === NORMAL ? -id : 0)),
      'f32',
    )
    to.set('tokenizer.ggml.pre', 'default')
  } else {
    to.set(
      'tokenizer.ggml.merges',
      merges.map(pair => (typeof pair === 'string' ? pair : pair.join(' '))),
      'string',
    )
    const pre = preTokenizerName(json.pre_tokenizer)
    if (pre !== undefined) to.set('tokenizer.ggml.pre', pre)
  }
  writeSpecial(source, to, tokens, unknown)
}

function parse(text: string): TokenizerJson {
  let json: Partial<TokenizerJson> | null
  try {
    json = JSON.parse(text) as Partial<TokenizerJson> | null
  } catch (cause) {
    throw new ModelFormatError(`tokenizer.json is no JSON: ${(cause as Error).message}`, {}, { cause })
  }
  const model = json?.model
  const isBpe = typeof model?.vocab === 'object' && Array.isArray(model.merges) && (model.type ?? 'BPE') === 'BPE'
  if (!json || !isBpe) throw broken('a BPE model', String(model?.type ?? 'none'))
  return json as TokenizerJson
}

function broken(expected: string, found: string): ModelFormatError {
  return new ModelFormatError(`tokenizer.json: expected ${expected}, found ${found}`, { expected, found })
}

function required(source: Source, name: string): string {
  const path = source.files.get(name)
  if (path !== undefined) return readText(path)
  throw new ModelFormatError(`${source.path}: a language model needs its ${name} beside it`, { name })
}

function optional(source: Source, name: string): Record<string, unknown> {
  const path = source.files.get(name)
  const json = path === undefined ? {} : readJson(path)
  return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {}
}

/** Writes the special tokens and the chat template. */
function writeSpecial(source: Source, to: GgufWriter, tokens: readonly string[], unknown: Named): void {
  const config = optional(source, 'tokenizer_config.json')
  const generation = { ...optional(source, 'config.json'), ...optional(source, 'generation_config.json') }
  const idOf = (named: Named): number | undefined => {
    const text = typeof named === 'string' ? named : named?.content
    const id = typeof text === 'string' ? tokens.indexOf(text) : -1
    return id < 0 ? undefined : id
  }
  const listed = [generation.eos_token_id].flat().filter((id): id is number => typeof id === 'number')
  const ends = [...new Set([idOf(config.eos_token as Named), ...listed])].filter(id => id !== undefined)
  const bos = idOf(config.bos_token as Named) ?? generation.bos_token_id
  for (const [role, id] of [
    ['bos', bos],
    ['eos', ends[0]],
    ['eot', ends[1]],
    ['padding', idOf(config.pad_token as Named) ?? generation.pad_token_id],
    ['unknown', idOf(unknown)],
  ] as const) {
    if (typeof id === 'number' && id >= 0 && id < tokens.length) to.set(`tokenizer.ggml.${role}_token_id`, id, 'u32')
  }
  if (typeof config.add_bos_token === 'boolean') to.set('tokenizer.ggml.add_bos_token', config.add_bos_token)
  const template = templateOf(source, config.chat_template)
  if (template !== undefined) to.set('tokenizer.chat_template', template)
}

/** The chat template, which may be a separate file, a string, or one of several named ones. */
function templateOf(source: Source, given: unknown): string | undefined {
  const path = source.files.get('chat_template.jinja')
  if (path !== undefined) return readText(path)
  if (typeof given === 'string') return given
  const named = Array.isArray(given) ? (given as { name?: unknown; template?: unknown }[]) : []
  const found = named.find(({ name }) => name === 'default')?.template
  return typeof found === 'string' ? found : undefined
}
