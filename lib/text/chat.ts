import { Template } from '@huggingface/jinja'
import { readGgufKeys } from '../convert/gguf.js'
import { ModelFormatError, UnsupportedError } from '../errors.js'
import { ggufTokenizer, Keys } from './gguf-tokenizer.js'
import { addTokenizer, tokenize, tokenizerOf, type Tokenizer } from './tokenizer.js'

/* Formats a conversation with the chat template of an imported language model. Runs in the worker thread. */

/** A turn, or the system prompt before the first one. */
export interface ChatMessage {
  role: 'system' | 'user' | 'assistant'
  content: string
}

/** The names of the tokens that end a reply in the supported models. */
const ENDS = [
  '<|im_end|>', '<|eot_id|>', '<|eom_id|>', '<|end|>', '<|endoftext|>', '<|end_of_text|>', '<end_of_turn>', '<end_of_utterance>',
  '<｜end▁of▁sentence｜>', '<EOT>', '</s>',
] // prettier-ignore

interface Chat {
  template: Template | undefined
  /** The id with which every prompt begins, if the template does not write it. */
  bos: number | undefined
  /** The texts of control tokens, which templates may write and users may not. */
  tokens: Record<string, string>
  controls: string[]
}

const chats = new WeakMap<Tokenizer, Chat>()

/**
 * Loads the tokenizer and the chat template of the model at `path`, under `key`.
 *
 * @returns the ids that end a reply
 * @throws {@link ModelFormatError}, {@link UnsupportedError}, {@link FileError}
 */
export function loadChat(key: number, path: string): Int32Array<ArrayBuffer> {
  const { json, ids, bos, template } = readChat(path)
  addTokenizer(key, json, { clean_up_tokenization_spaces: false })
  const { tokenizer } = tokenizerOf(key)
  const added = [...tokenizer.get_added_tokens_decoder()]

  const text = (id: number | undefined): string => tokenizer.id_to_token(id ?? -1) ?? ''
  chats.set(tokenizer, {
    template,
    bos,
    tokens: {
      bos_token: text(ids.bos),
      eos_token: text(ids.eos),
      unk_token: text(ids.unknown),
      pad_token: text(ids.padding),
    },
    controls: added.filter(([, token]) => token.special).map(([, token]) => token.content),
  })
  const ends = added.filter(([, token]) => ENDS.includes(token.content)).map(([end]) => end)
  return Int32Array.from(new Set([ids.eos, ids.eot, ids.eom, ...ends].filter(end => end !== undefined)))
}

/**
 * Reads the file's keys. None of them is kept, so that the texts of the merges can be freed before the tokenizer builds
 * its own tables.
 */
function readChat(path: string) {
  const metadata = readGgufKeys(path)
  const keys = new Keys(metadata)
  const given = keys.string('tokenizer.huggingface.json')
  const { json, addBos } = given === undefined ? ggufTokenizer(metadata) : { json: given, addBos: false }
  const id = (name: string): number | undefined => keys.number(`tokenizer.ggml.${name}_token_id`)
  const ids = {
    bos: id('bos'),
    eos: id('eos'),
    eot: id('eot'),
    eom: id('eom'),
    unknown: id('unknown'),
    padding: id('padding'),
  }
  const template = keys.string('tokenizer.chat_template')
  return {
    json,
    ids,
    bos: (keys.boolean('tokenizer.ggml.add_bos_token') ?? addBos) ? ids.bos : undefined,
    template: template === undefined ? undefined : parseTemplate(template),
  }
}

/** Parses a chat template. Throws {@link ModelFormatError}. */
export function parseTemplate(source: string): Template {
  try {
    return new Template(source)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ModelFormatError(
      `tokenizer.chat_template: expected a Jinja template, found ${reason}`,
      { name: 'tokenizer.chat_template' },
      { cause },
    )
  }
}

/**
 * Formats the conversation up to the beginning of the reply, and returns its ids. Control tokens that are spelled out
 * in a message are removed, so that a message cannot end its own turn.
 *
 * @param thinking - for models with a thinking mode: whether they may reason in writing before they answer
 * @throws {@link UnsupportedError} there is no template, or it refuses this conversation
 */
export function chatPrompt(key: number, messages: ChatMessage[], thinking: boolean): Int32Array<ArrayBuffer> {
  const { tokenizer } = tokenizerOf(key)
  const chat = chats.get(tokenizer)
  if (!chat) throw new Error(`no chat ${key}`)
  if (!chat.template) {
    throw new UnsupportedError(
      'this language model has no chat template (tokenizer.chat_template): it can only continue texts; use an instruct or chat model for answers',
      { key: 'tokenizer.chat_template' },
    )
  }
  const text = renderTemplate(chat.template, {
    messages: messages.map(({ role, content }) => ({ role, content: without(chat.controls, content) })),
    add_generation_prompt: true,
    enable_thinking: thinking,
    ...chat.tokens,
  })
  return withBos(chat, tokenize(tokenizer, text))
}

/** Applies a chat template. Throws {@link UnsupportedError} if the template refuses the conversation. */
export function renderTemplate(template: Template, variables: Record<string, unknown>): string {
  try {
    return template.render(variables)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new UnsupportedError(
      `the model's chat template does not take this conversation: ${reason}`,
      { key: 'tokenizer.chat_template' },
      { cause },
    )
  }
}

/**
 * Tokenizes a text that is not a conversation, with the beginning-of-sequence token. Control tokens in the text are
 * removed.
 */
export function plainText(key: number, text: string): Int32Array<ArrayBuffer> {
  const { tokenizer } = tokenizerOf(key)
  const chat = chats.get(tokenizer)
  if (!chat) throw new Error(`no chat ${key}`)
  return withBos(chat, tokenize(tokenizer, without(chat.controls, text)))
}

function withBos({ bos }: Chat, ids: readonly number[]): Int32Array<ArrayBuffer> {
  return Int32Array.from(bos === undefined || ids[0] === bos ? ids : [bos, ...ids])
}

/** Removes words from a text, also those that only appear when other words are removed. */
function without(words: readonly string[], text: string): string {
  for (let found; (found = words.find(word => text.includes(word))) !== undefined;) text = text.replaceAll(found, '')
  return text
}
