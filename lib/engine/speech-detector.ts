import { join } from 'node:path'
import { loadAddon, type NativeModel, type NativeSession } from '../binding.js'
import { toMossError, UnsupportedError } from '../errors.js'
import { packageRoot, unpacked } from '../package-root.js'

/** Tells how probable it is that somebody speaks, while audio arrives. */
export interface SpeechDetector {
  /** Samples of a window, at 16 kHz. */
  readonly window: number
  /** Takes the next samples, any number of them. Resolves to a probability for each window that has become complete. */
  push(samples: Float32Array): Promise<Float32Array>
  /**
   * How many vowels and consonants the encoder hears in samples: many in speech, few in laughter, coughs and the like, which the voice
   * activity network takes for speech. Undefined if the file has no encoder of sounds.
   */
  sounds?(samples: Float32Array): Promise<number>
  /** Frees its memory and its thread. Idempotent. */
  dispose(): void
}

/** A detector that runs a file's voice activity network, and its encoder if it has one. */
export function detectorOf(model: NativeModel): SpeechDetector {
  const { vadWindow: window, units, components } = model.info()
  const native = model.createSpeechDetector()
  let session: NativeSession | undefined
  const sounds = async (samples: Float32Array): Promise<number> => {
    session ??= model.createSession({})
    const heard = await session.encode(samples)
    return heard.units.filter(unit => LETTER.test(units[unit] ?? '')).length
  }
  const hears = units.length > 0 && components.some(({ name }) => name === 'encoder')
  return {
    window,
    push: samples => native.push(samples),
    ...(hears && { sounds }),
    dispose: () => {
      native.dispose()
      session?.dispose()
    },
  }
}

/** Units that are sounds, not stress marks, tones, word boundaries or pauses. */
const LETTER = /\p{L}/u

/**
 * A detector that runs nano's voice activity network, the only network of nano that is loaded; for models without one.
 *
 * @throws {@link UnsupportedError} nano is not there
 */
export async function nanoDetector(): Promise<SpeechDetector> {
  let model: NativeModel | undefined
  try {
    model = await loadAddon().loadModel(unpacked(join(packageRoot(), 'models', 'nano.gguf')), {
      threads: 1,
      onlyVad: true,
    })
    return detectorOf(model)
  } catch (cause) {
    const { code } = toMossError(cause)
    if (code !== 'MOSS_MODEL_NOT_FOUND' && code !== 'MOSS_UNSUPPORTED') throw toMossError(cause)
    throw new UnsupportedError(
      "nobody can tell where speech begins and ends: the model has no voice activity network, and nano, whose network would do, is not in the package's folder; with turnDetection 'manual' and vad false, none is needed",
      { component: 'vad' },
      { cause },
    )
  } finally {
    model?.dispose() // the detector keeps the network
  }
}
