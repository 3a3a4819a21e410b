import { load, NANO } from './engine/compose.js'
import type { Engine } from './engine/engine.js'
import { unitsOfReplies, type ModelInfo, type Weights } from './engine/weights.js'
import { DisposedError, InvalidArgumentError, toMossError } from './errors.js'
import { checkHistory } from './messages.js'
import * as check from './options.js'
import type { LoadOptions, LoadSessionOptions, ModelParts, SessionOptions } from './options.js'
import { damaged, type Settings } from './saved/format.js'
import { SavedSession, type SessionInput } from './saved/load.js'
import { pronunciationsOf, Session } from './session.js'
import { WeakCollection } from './weak.js'

/**
 * A loaded model: the weights, without the state of any conversation. Many sessions may use it at the same time.
 *
 * Made by {@link loadModel}. Free its memory with {@link dispose} or `await using`. If neither the model nor any of its
 * sessions is referenced any more, the garbage collector frees it, at some later time.
 */
export class Model {
  readonly #weights: Weights
  /** Held weakly, so that a session that is no longer referenced is garbage-collected even if it was not disposed of. */
  readonly #sessions = new WeakCollection<Session>()
  #disposed = false

  /** @internal */
  constructor(weights: Weights) {
    this.#weights = weights
  }

  /** Name, licence, components, units, voices, emotions and limits. */
  info(): ModelInfo {
    return this.#weights.info
  }

  /**
   * Starts a conversation.
   *
   * @throws {@link DisposedError}, {@link InvalidArgumentError}, {@link UnsupportedError}, {@link OutOfMemoryError}
   */
  createSession(options?: SessionOptions): Session {
    const o = check.checkOptions('options', options, [...SETTINGS, 'seed', 'history'])
    const { seed, history, ...settings } = o
    check.checkInteger('seed', seed, 0, check.SEED_MAX)
    this.#check(settings)
    const rules = { units: unitsOfReplies(this.info()), heard: false }
    const { system, turns } = history === undefined ? { turns: [] } : checkHistory(history, rules)
    if (system !== undefined) {
      if (settings.system !== undefined)
        throw new InvalidArgumentError('there is a system prompt in the history already', { option: 'system' })
      settings.system = system
    }
    this.#needOpen()
    const engine = this.#weights.open({ ...settings, ...(seed !== undefined && { seed }), turns })
    return this.#session(engine, settings)
  }

  /**
   * Continues a conversation that {@link Session.save} has saved, bit for bit: with the same calls, the session gives the same replies as the
   * one that was saved, on the same machine and with as many threads.
   *
   *     const session = await model.loadSession('conversation.moss')
   *
   * @param input - the path or `file:` URL of a file, its bytes, or a stream of them, of which nothing else is read
   * @throws by rejecting: {@link SessionFormatError} it is no saved session, cut off, damaged, of another model or of a newer version
   * (`details.reason`); {@link PromptTooLongError} the context of this model is too short; {@link FileError}, {@link
   * InvalidArgumentError}, {@link DisposedError}, {@link AbortedError}, {@link OutOfMemoryError}
   */
  async loadSession(input: SessionInput, options?: LoadSessionOptions): Promise<Session> {
    const o = check.checkOptions('options', options, ['contextOverflow', 'pronunciations', 'signal'])
    const { signal: stop, ...overriding } = o
    const signal = check.checkSignal(stop)
    this.#check(overriding)
    const source = checkInput(input)
    this.#needOpen()
    const target = { models: await this.#weights.hashes(), nCtx: this.info().nCtx, units: unitsOfReplies(this.info()) }
    return SavedSession.read(source, target, signal, async saved => {
      this.#needOpen()
      const settings = { ...this.#savedSettings(saved), ...overriding }
      const engine = this.#weights.open(settings)
      try {
        await saved.restore(engine, target)
        this.#needOpen()
        return this.#session(engine, settings)
      } catch (thrown) {
        engine.dispose()
        throw toMossError(thrown)
      }
    })
  }

  #check({ system, thinking, contextOverflow, pronunciations }: Settings): void {
    check.checkBoolean('thinking', thinking)
    if (system !== undefined) check.checkText('system', system, 100_000)
    check.checkName('contextOverflow', contextOverflow, check.CONTEXT_OVERFLOWS)
    pronunciationsOf(pronunciations, this.#weights.info, this.#weights.voiceText)
  }

  /** Checks the options that a session was saved with. */
  #savedSettings({ header }: SavedSession): Settings {
    try {
      const settings = check.checkOptions('settings', header.settings, SETTINGS)
      this.#check(settings)
      return settings
    } catch (thrown) {
      throw damaged('its settings', thrown)
    }
  }

  #session(engine: Engine, settings: Settings): Session {
    let forget: () => void = () => undefined
    const session = new Session({ engine, weights: this.#weights, settings, onDispose: () => forget() })
    forget = this.#sessions.add(session)
    return session
  }

  #needOpen(): void {
    if (this.#disposed) throw new DisposedError('the model is disposed')
  }

  /** Stops its sessions and frees its memory. Idempotent. */
  async dispose(): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    await Promise.all([...this.#sessions].map(session => session.dispose()))
    await this.#weights.dispose()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }
}

const SETTINGS = ['system', 'thinking', 'contextOverflow', 'pronunciations'] as const satisfies (keyof Settings)[]

function checkInput(input: unknown): string | Uint8Array | AsyncIterable<Uint8Array> {
  const path = check.checkPath(input)
  if (path !== undefined) return path
  if (input instanceof Uint8Array) return input
  if (typeof input === 'object' && input !== null && Symbol.asyncIterator in input)
    return input as AsyncIterable<Uint8Array>
  throw new InvalidArgumentError('input must be the path or file: URL of a file, its bytes, or a stream of them', {
    option: 'input',
  })
}

/**
 * Loads a model: a bundle (GGUF), which answers speech with speech; an imported encoder, voice or language model (Qwen3
 * or Llama, as llama.cpp writes them) alone; or a conversation composed of such parts (docs/composing.md). Every key
 * and tensor is checked, and a malformed file is refused.
 *
 *     const model = await loadModel({ encoder: 'wav2vec2.gguf', lm: 'qwen3.gguf', voice: 'joe.gguf' })
 *
 * @param source - the file, or a `file:` URL of it, or the files of the parts. Default: `nano`, which comes with the package.
 * @throws {@link ModelNotFoundError}; {@link ModelFormatError} names the key or tensor, what was expected and what was found;
 * {@link UnsupportedError} a part cannot do what it is for; {@link OutOfMemoryError}; {@link AddonError} the native part cannot be loaded
 * on this machine; {@link InvalidArgumentError}
 */
export async function loadModel(source: string | URL | ModelParts = NANO, options?: LoadOptions): Promise<Model> {
  const o = check.checkOptions('options', options, ['contextLength', 'kvCacheBytes', 'kvCacheType', 'threads'])
  const checked = {
    threads: check.checkInteger('threads', o.threads, 1, 256),
    contextLength: check.checkInteger('contextLength', o.contextLength, 16, 1 << 24),
    kvCacheType: check.checkName('kvCacheType', o.kvCacheType, check.KV_CACHE_TYPES),
    kvCacheBytes: check.checkInteger('kvCacheBytes', o.kvCacheBytes, 1, Number.MAX_SAFE_INTEGER),
  }
  return new Model(await load(source, checked))
}
