import type { ChatMessage } from '../text/chat.js'
import type { ChatCodec } from './codec.js'
import type { Message, Turn } from './conversation.js'

/** Formats the conversation with an imported language model. At each turn, the model is given all of it in its chat template. */
export class ChatPrompt {
  constructor(
    private readonly codec: ChatCodec,
    private readonly system: string | undefined,
    private readonly thinking: boolean,
  ) {}

  /**
   * Returns the ids of the conversation with a new message of the user, up to the start of the reply. The session computes only the
   * positions that are not in its KV cache.
   */
  async ask(turns: readonly Turn[], text: string): Promise<{ textIds: Int32Array; stopIds: Int32Array }> {
    const messages = [...this.systemMessages, ...turns.flatMap(({ user, assistant }) => [user, assistant])]
    const chat = [...messages, { role: 'user', text } as const].map(contentOf)
    return { textIds: await this.codec.prompt(chat, this.thinking), stopIds: this.codec.stopIds }
  }

  get systemMessages(): Message[] {
    return this.system === undefined ? [] : [{ role: 'system', text: this.system }]
  }
}

function contentOf({ role, text = '' }: Message): ChatMessage {
  return { role, content: text }
}
