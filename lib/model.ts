import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadAddon, type NativeModel, type NativeModelInfo } from './binding.js'
import { DisposedError, InvalidArgumentError, ModelFormatError, ModelNotFoundError, toMossError } from './errors.js'
import { checkInteger, checkOptions, SEED_MAX, type LoadOptions, type SessionOptions } from './options.js'
import { Session } from './session.js'
import { textThread } from './worker/offload.js'

/** What a bundle is and can do. */
export interface ModelInfo extends Readonly<Omit<NativeModelInfo, 'tokenizer' | 'specialTokens'>> {
  /** Where it was loaded from. */
  readonly path: string
}

/** The bundle that comes with the package. */
export const NANO_PATH = join(__dirname, '..', '..', 'models', 'nano.gguf')

/** Text ⇄ ids of one bundle, in the text thread. @internal */
export class TextCodec {
  static #next = 0
  readonly #key = TextCodec.#next++

  static async load(json: string): Promise<TextCodec> {
    const codec = new TextCodec()
    await textThread.run('loadTokenizer', { key: codec.#key, json })
    return codec
  }

  encode(text: string): Promise<Int32Array> {
    return textThread.run('encodeText', { key: this.#key, text })
  }

  decode(ids: Int32Array): Promise<string> {
    return textThread.run('decodeText', { key: this.#key, ids })
  }

  async free(): Promise<void> {
    await textThread.run('freeTokenizer', { key: this.#key })
  }
}

/**
 * A loaded bundle: weights, which never change, and no conversation. Many sessions may use it at the same time.
 *
 * Made by {@link loadModel}. Free its memory with {@link dispose} or `await using`.
 */
export class Model {
  readonly #native: NativeModel
  readonly #codec: TextCodec | undefined
  readonly #info: ModelInfo
  readonly #sessions = new Set<Session>()
  #disposed = false

  private constructor(native: NativeModel, info: ModelInfo, codec: TextCodec | undefined) {
    this.#native = native
    this.#info = info
    this.#codec = codec
  }

  /** @internal */
  static async load(path: string, threads: number | undefined): Promise<Model> {
    let native: NativeModel | undefined
    try {
      native = await loadAddon().loadModel(path, { threads })
      const { tokenizer, specialTokens: _, ...info } = native.info()
      const codec = tokenizer ? await TextCodec.load(tokenizer) : undefined
      return new Model(native, { ...info, path }, codec)
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
    const { seed } = checkOptions('options', options, ['seed'])
    const checked = checkInteger('seed', seed, 0, SEED_MAX)
    if (this.#disposed) throw new DisposedError('the model is disposed')
    try {
      const session: Session = new Session(this.#native.createSession({ seed: checked }), this.#info, this.#codec, () =>
        this.#sessions.delete(session),
      )
      this.#sessions.add(session)
      return session
    } catch (thrown) {
      throw toMossError(thrown)
    }
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
 * Loads a bundle (GGUF). Every key and tensor is checked; a file that does not fit is refused.
 *
 * @param path - the file, or a `file:` URL of it. Default: nano, which comes with the package.
 * @throws {@link ModelNotFoundError}; {@link ModelFormatError} names the key or tensor, what was expected and what was found;
 * {@link OutOfMemoryError}; {@link AddonError} the native part cannot be loaded on this machine; {@link InvalidArgumentError}
 */
export async function loadModel(path: string | URL = NANO_PATH, options?: LoadOptions): Promise<Model> {
  const { threads } = checkOptions('options', options, ['threads'])
  const checked = checkInteger('threads', threads, 1, 256)
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
