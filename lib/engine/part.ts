import { loadAddon, type NativeAddon, type NativeModel } from '../binding.js'
import { toMossError, UnsupportedError } from '../errors.js'
import type { SessionOptions } from '../options.js'
import { ChatCodec, TextCodec } from './codec.js'
import { Conversation } from './conversation.js'
import { PartEngine, type LoadedFile } from './part-engine.js'
import { detectorOf, nanoDetector, type SpeechDetector } from './speech-detector.js'
import { hasNetwork, type ModelInfo, type Weights } from './weights.js'

/** A loaded file: the weights, which are immutable. */
export class Part implements Weights, LoadedFile {
  readonly #native: NativeModel

  private constructor(
    native: NativeModel,
    readonly info: ModelInfo,
    readonly codec: TextCodec | undefined,
    readonly voiceText: string,
  ) {
    this.#native = native
  }

  static async load(path: string, options: Parameters<NativeAddon['loadModel']>[1]): Promise<Part> {
    let native: NativeModel | undefined
    try {
      native = await loadAddon().loadModel(path, options)
      const { tokenizer, specialTokens: _, voiceText, vadWindow: __, ...info } = native.info()
      const imported = info.architecture !== 'moss-speech'
      const codec = imported ? await ChatCodec.open(path) : tokenizer ? await TextCodec.load(tokenizer) : undefined
      return new Part(native, { ...info, path }, codec, voiceText)
    } catch (thrown) {
      native?.dispose()
      throw toMossError(thrown)
    }
  }

  open({ system, thinking, seed }: SessionOptions): PartEngine {
    const conversation =
      this.codec instanceof ChatCodec ? new Conversation(this.codec, { system, thinking }) : undefined
    const option = system !== undefined ? 'system' : thinking !== undefined ? 'thinking' : undefined
    if (!conversation && option)
      throw new UnsupportedError(`${option} is only for imported language models, and this model is not one`, {
        option,
      })
    try {
      return new PartEngine(this, this.#native.createSession({ seed }), conversation)
    } catch (thrown) {
      throw toMossError(thrown)
    }
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
