import type { ChatMessage } from '../text/chat.js'
import type { ChatCodec } from './codec.js'

/** The messages of the user and of an imported language model. At each turn, the model is given all of them in its chat template. */
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

  /**
   * Returns the ids of the conversation with a new message of the user, up to the start of the reply. The session computes only the
   * positions that are not in its KV cache.
   */
  async ask(text: string): Promise<{ textIds: Int32Array; stopIds: Int32Array }> {
    const messages: ChatMessage[] = [...this.#system, ...this.#turns, { role: 'user', content: text }]
    return { textIds: await this.#codec.prompt(messages, this.#thinking), stopIds: this.#codec.stopIds }
  }

  /** Adds a finished turn. */
  remember(text: string, reply: string): void {
    this.#turns.push({ role: 'user', content: text }, { role: 'assistant', content: reply })
  }

  /** Replaces the reply of the last turn. */
  amend(reply: string): void {
    this.#turns = [...this.#turns.slice(0, -1), { role: 'assistant', content: reply }]
  }

  /** Removes the last turn. */
  undo(): void {
    this.#turns = this.#turns.slice(0, -2)
  }

  forget(): void {
    this.#turns = []
  }
}
