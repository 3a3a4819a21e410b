/** A message of a conversation. */
export interface Message {
  /** `system` only as the first message, and only for imported language models. */
  role: 'system' | 'user' | 'assistant'
  /**
   * The words. Nano may not know them: speech that it has heard has a text only if `transcribe` was set, and a reply
   * only if `output` was not `speech`.
   */
  text?: string
  /**
   * Only of nano: of the user, the units that were heard (missing if the user has written); of the assistant, the units
   * that were spoken (empty if the reply is written).
   */
  units?: readonly string[]
}

/** A finished turn. */
export interface Turn {
  readonly user: Message
  readonly assistant: Message
}

/** The finished turns that the context of a session holds, oldest first. */
export class Conversation {
  constructor(public turns: readonly Turn[]) {}

  add(turn: Turn): void {
    this.turns = [...this.turns, turn]
  }

  /** Replaces the reply of the last turn. */
  amend(assistant: Message): void {
    const last = this.turns.at(-1)
    if (last) this.turns = [...this.turns.slice(0, -1), { ...last, assistant }]
  }

  /** Removes the last turn. */
  undo(): void {
    this.turns = this.turns.slice(0, -1)
  }

  /** Removes the oldest turns. */
  drop(count: number): void {
    this.turns = this.turns.slice(count)
  }
}
