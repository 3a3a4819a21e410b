import { load, NANO } from './engine/compose.js'
import { DisposedError } from './errors.js'
import * as check from './options.js'
import type { LoadOptions, ModelParts, SessionOptions } from './options.js'
import { pronunciationsOf, Session } from './session.js'
import type { ModelInfo, Weights } from './engine/weights.js'
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
    const o = check.checkOptions('options', options, ['system', 'thinking', 'seed', 'pronunciations'])
    check.checkInteger('seed', o.seed, 0, check.SEED_MAX)
    check.checkBoolean('thinking', o.thinking)
    if (o.system !== undefined) check.checkText('system', o.system, 100_000)
    if (this.#disposed) throw new DisposedError('the model is disposed')
    const { info, voiceText } = this.#weights
    const pronunciations = pronunciationsOf(o.pronunciations, info, voiceText)
    let forget: () => void = () => undefined
    const weights = this.#weights
    const session = new Session(
      weights.open(o),
      info,
      { voiceText, pronunciations },
      () => weights.detector(),
      () => forget(),
    )
    forget = this.#sessions.add(session)
    return session
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
