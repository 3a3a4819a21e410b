import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ChatCodec, TextCodec } from './codec.js'
import { Conversation } from './conversation.js'
import { loadAddon, type NativeAddon, type NativeModel, type NativeModelInfo } from './binding.js'
import {
  DisposedError,
  InvalidArgumentError,
  ModelFormatError,
  ModelNotFoundError,
  toMossError,
  UnsupportedError,
} from './errors.js'
import * as check from './options.js'
import type { LoadOptions, SessionOptions } from './options.js'
import { Session } from './session.js'

/** What a bundle is and can do. */
export interface ModelInfo extends Readonly<Omit<NativeModelInfo, 'tokenizer' | 'specialTokens' | 'voiceText'>> {
  /** Where it was loaded from. */
  readonly path: string
}

/** The bundle that comes with the package. */
export const NANO_PATH = join(__dirname, '..', '..', 'models', 'nano.gguf')

/**
 * A loaded bundle: weights, which never change, and no conversation. Many sessions may use it at the same time.
 *
 * Made by {@link loadModel}. Free its memory with {@link dispose} or `await using`.
 */
export class Model {
  readonly #native: NativeModel
  readonly #codec: TextCodec | undefined
  readonly #info: ModelInfo
  readonly #voiceText: string
  readonly #sessions = new Set<Session>()
  #disposed = false

  private constructor(native: NativeModel, info: ModelInfo, codec: TextCodec | undefined, voiceText: string) {
    this.#native = native
    this.#info = info
    this.#voiceText = voiceText
    this.#codec = codec
  }

  /** @internal */
  static async load(path: string, options: Parameters<NativeAddon['loadModel']>[1]): Promise<Model> {
    let native: NativeModel | undefined
    try {
      native = await loadAddon().loadModel(path, options)
      const { tokenizer, specialTokens: _, voiceText, ...info } = native.info()
      const imported = info.architecture !== 'moss-speech'
      const codec = imported ? await ChatCodec.open(path) : tokenizer ? await TextCodec.load(tokenizer) : undefined
      return new Model(native, { ...info, path }, codec, voiceText)
    } catch (thrown) {
      native?.dispose()
      throw toMossError(thrown)
    }
  }

  /** Name, licence, components, units, voices, emotions and limits of the bundle. */
  info(): ModelInfo {
    return this.#info
  }

  /**
   * Starts a conversation.
   *
   * @throws {@link DisposedError}, {@link InvalidArgumentError}, {@link OutOfMemoryError}
   */
  createSession(options?: SessionOptions): Session {
    const o = check.checkOptions('options', options, ['system', 'thinking', 'seed'])
    const seed = check.checkInteger('seed', o.seed, 0, check.SEED_MAX)
    const conversation = this.#converse(o)
    if (this.#disposed) throw new DisposedError('the model is disposed')
    try {
      const native = this.#native.createSession({ seed })
      const session: Session = new Session(native, this.#info, this.#codec, conversation, this.#voiceText, () =>
        this.#sessions.delete(session),
      )
      this.#sessions.add(session)
      return session
    } catch (thrown) {
      throw toMossError(thrown)
    }
  }

  #converse(o: SessionOptions): Conversation | undefined {
    const system = o.system === undefined ? undefined : check.checkText('system', o.system, 100_000)
    const thinking = check.checkBoolean('thinking', o.thinking)
    if (this.#codec instanceof ChatCodec) return new Conversation(this.#codec, { system, thinking })
    const option = system !== undefined ? 'system' : thinking !== undefined ? 'thinking' : undefined
    if (option) throw new UnsupportedError(`${option} is for imported language models; this is none`, { option })
    return undefined
  }

  /** Stops its sessions and frees its memory. Idempotent. */
  async dispose(): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    await Promise.all([...this.#sessions].map(session => session.dispose()))
    this.#native.dispose()
    await this.#codec?.free()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }
}

/**
 * Loads a bundle (GGUF), or a Qwen3 or Llama language model as llama.cpp writes it, which answers text with text. Every key and tensor is checked; a file that does not fit is refused.
 *
 * @param path - the file, or a `file:` URL of it. Default: nano, which comes with the package.
 * @throws {@link ModelNotFoundError}; {@link ModelFormatError} names the key or tensor, what was expected and what was found;
 * {@link OutOfMemoryError}; {@link AddonError} the native part cannot be loaded on this machine; {@link InvalidArgumentError}
 */
export async function loadModel(path: string | URL = NANO_PATH, options?: LoadOptions): Promise<Model> {
  const o = check.checkOptions('options', options, ['contextLength', 'threads'])
  const checked = {
    threads: check.checkInteger('threads', o.threads, 1, 256),
    contextLength: check.checkInteger('contextLength', o.contextLength, 16, 1 << 24),
  }
  const file = path instanceof URL && path.protocol === 'file:' ? fileURLToPath(path) : path
  if (typeof file !== 'string' || file === '' || file.includes('\0')) {
    throw new InvalidArgumentError('path must be the path or file: URL of a model', { option: 'path' })
  }
  const found = await stat(file).catch((cause: unknown) => {
    throw new ModelNotFoundError(`there is no model at ${file}`, { path: file }, { cause })
  })
  if (!found.isFile()) throw new ModelFormatError(`${file} is not a file`, { path: file })
  return Model.load(file, checked)
}
