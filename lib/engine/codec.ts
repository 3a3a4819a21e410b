import type { ChatMessage } from '../text/chat.js'
import { textThread } from '../worker/offload.js'

/** Frees the tokenizer of a model that was garbage-collected without being disposed of. */
const forgotten = new FinalizationRegistry<number>(key => void freeTokenizer(key))

async function freeTokenizer(key: number): Promise<void> {
  // If the thread has ended, its tokenizers are gone already.
  if (textThread.runs) await textThread.run('freeTokenizer', { key }).catch(() => undefined)
}

/** The tokenizer of one model, which runs in the text thread. */
export class TextCodec {
  static #next = 0
  protected readonly key = TextCodec.#next++

  protected constructor() {
    forgotten.register(this, this.key, this)
  }

  /** Loads a tokenizer from the content of a Hugging Face tokenizer.json. */
  static async load(json: string): Promise<TextCodec> {
    const codec = new TextCodec()
    await textThread.run('loadTokenizer', { key: codec.key, json })
    return codec
  }

  encode(text: string): Promise<Int32Array> {
    return textThread.run('encodeText', { key: this.key, text })
  }

  decode(ids: Int32Array): Promise<string> {
    return textThread.run('decodeText', { key: this.key, ids })
  }

  async free(): Promise<void> {
    forgotten.unregister(this)
    await freeTokenizer(this.key)
  }
}

/** The tokenizer and the chat template of an imported language model. */
export class ChatCodec extends TextCodec {
  /** The ids that end a reply. */
  stopIds = new Int32Array()

  /** Loads tokenizer and template from the GGUF file at `path`. */
  static async open(path: string): Promise<ChatCodec> {
    const codec = new ChatCodec()
    codec.stopIds = await textThread.run('loadChat', { key: codec.key, path })
    return codec
  }

  /** Returns the ids of a conversation in the chat template, up to the start of the reply. */
  prompt(messages: ChatMessage[], thinking: boolean): Promise<Int32Array> {
    return textThread.run('chatPrompt', { key: this.key, messages, thinking })
  }
}
