import { loadAddon, type NativeAddon, type NativeModel } from '../binding.js'
import { toMossError, UnsupportedError } from '../errors.js'
import { ChatPrompt } from './chat-prompt.js'
import { ChatCodec, TextCodec } from './codec.js'
import { missing } from './engine.js'
import { hashOfFile, stampOf, type FileStamp } from './file-hash.js'
import { PartEngine, type LoadedFile } from './part-engine.js'
import { detectorOf, nanoDetector, type SpeechDetector } from './speech-detector.js'
import { hasNetwork, type ModelInfo, type Opening, type Weights } from './weights.js'

/** A loaded file: the weights, which are immutable. */
export class Part implements Weights, LoadedFile {
  readonly #native: NativeModel
  readonly #stamp: FileStamp
  #hash: Promise<string> | undefined

  private constructor(
    native: NativeModel,
    stamp: FileStamp,
    readonly info: ModelInfo,
    readonly codec: TextCodec | undefined,
    readonly voiceText: string,
  ) {
    this.#native = native
    this.#stamp = stamp
  }

  static async load(path: string, options: Parameters<NativeAddon['loadModel']>[1]): Promise<Part> {
    let native: NativeModel | undefined
    try {
      const stamp = await stampOf(path)
      native = await loadAddon().loadModel(path, options)
      const { tokenizer, specialTokens: _, voiceText, vadWindow: __, ...info } = native.info()
      const imported = info.architecture !== 'moss-speech'
      const codec = imported ? await ChatCodec.open(path) : tokenizer ? await TextCodec.load(tokenizer) : undefined
      return new Part(native, stamp, { ...info, path }, codec, voiceText)
    } catch (thrown) {
      native?.dispose()
      throw toMossError(thrown)
    }
  }

  open({ system, thinking, seed, contextOverflow, turns = [] }: Opening): PartEngine {
    const chat = this.codec instanceof ChatCodec ? new ChatPrompt(this.codec, system, thinking ?? false) : undefined
    const option = system !== undefined ? 'system' : thinking !== undefined ? 'thinking' : undefined
    if (!chat && option)
      throw new UnsupportedError(`${option} is only for imported language models, and this model is not one`, {
        option,
      })
    if (!this.codec && turns.length > 0) throw missing('lm')
    const slides = contextOverflow !== 'error'
    try {
      const native = this.#native.createSession({ seed, slide: slides })
      return new PartEngine(this, native, { chat, slides, history: turns })
    } catch (thrown) {
      throw toMossError(thrown)
    }
  }

  async hashes(): Promise<Record<string, string>> {
    return { model: await this.hash() }
  }

  /** The SHA-256 of the file. @throws {@link FileError} it has changed since it was loaded, or cannot be read */
  hash(): Promise<string> {
    const hash = (this.#hash ??= hashOfFile(this.info.path, this.#stamp))
    hash.catch(() => (this.#hash = undefined)) // the next call tries again
    return hash
  }

  async detector(): Promise<SpeechDetector> {
    if (!hasNetwork(this.info, 'vad')) return nanoDetector()
    try {
      return detectorOf(this.#native)
    } catch (thrown) {
      throw toMossError(thrown)
    }
  }

  async dispose(): Promise<void> {
    this.#native.dispose()
    await this.codec?.free()
  }
}
