import type { ChatMessage } from '../text/chat.js'
import { textThread } from '../worker/offload.js'

/** A tokenizer of a model that nobody holds is freed as if the model had been disposed of. */
const forgotten = new FinalizationRegistry<number>(key => void freeTokenizer(key))

async function freeTokenizer(key: number): Promise<void> {
  // A thread that has died has taken its tokenizers with it.
  if (textThread.runs) await textThread.run('freeTokenizer', { key }).catch(() => undefined)
}

/** Text ⇄ ids of one model, in the text thread. */
export class TextCodec {
  static #next = 0
  protected readonly key = TextCodec.#next++

  protected constructor() {
    forgotten.register(this, this.key, this)
  }

  /** Of a Hugging Face tokenizer.json. */
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

/** Of an imported language model, with the template of its conversations. */
export class ChatCodec extends TextCodec {
  /** What ends a reply. */
  stopIds = new Int32Array()

  /** Of the GGUF file at `path`. */
  static async open(path: string): Promise<ChatCodec> {
    const codec = new ChatCodec()
    codec.stopIds = await textThread.run('loadChat', { key: codec.key, path })
    return codec
  }

  /** A conversation up to where the reply begins. */
  prompt(messages: ChatMessage[], thinking: boolean): Promise<Int32Array> {
    return textThread.run('chatPrompt', { key: this.key, messages, thinking })
  }
}
