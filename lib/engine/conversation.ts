import type { ChatMessage } from '../text/chat.js'
import type { ChatCodec } from './codec.js'

/** What the user and an imported language model have said: the model reads all of it, in the words of its template, at each turn. */
export class Conversation {
  readonly #codec: ChatCodec
  readonly #thinking: boolean
  readonly #system: ChatMessage[]
  #turns: ChatMessage[] = []

  constructor(
    codec: ChatCodec,
    { system, thinking = false }: { system: string | undefined; thinking: boolean | undefined },
  ) {
    this.#codec = codec
    this.#thinking = thinking
    this.#system = system === undefined ? [] : [{ role: 'system', content: system }]
  }

  /** The conversation with one more text of the user, up to where the reply begins; the session computes what is new in it. */
  async ask(text: string): Promise<{ textIds: Int32Array; stopIds: Int32Array }> {
    const messages: ChatMessage[] = [...this.#system, ...this.#turns, { role: 'user', content: text }]
    return { textIds: await this.#codec.prompt(messages, this.#thinking), stopIds: this.#codec.stopIds }
  }

  /** A finished turn. */
  remember(text: string, reply: string): void {
    this.#turns.push({ role: 'user', content: text }, { role: 'assistant', content: reply })
  }

  /** Takes back the last turn. */
  undo(): void {
    this.#turns = this.#turns.slice(0, -2)
  }

  forget(): void {
    this.#turns = []
  }
}
