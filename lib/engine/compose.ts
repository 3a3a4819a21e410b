import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { NativeAddon } from '../binding.js'
import { InvalidArgumentError, ModelFormatError, ModelNotFoundError, UnsupportedError } from '../errors.js'
import * as check from '../options.js'
import type { ModelParts } from '../options.js'
import { packageRoot, unpacked } from '../package-root.js'
import { CascadeEngine, type CascadeParts } from './cascade.js'
import type { Turn } from './conversation.js'
import { missing, PART_NAMES, type Engine, type PartName } from './engine.js'
import { Part } from './part.js'
import { nanoDetector, type SpeechDetector } from './speech-detector.js'
import { hasNetwork, type ModelInfo, type Opening, type Weights } from './weights.js'

/** The name that stands for the file of the bundle in this package. */
export const NANO = 'nano'

type NativeOptions = NonNullable<Parameters<NativeAddon['loadModel']>[1]>

/** The loaded parts of a model. A file that serves as two parts is loaded once. */
type LoadedParts = Partial<Record<PartName, Part>>

/** Several files as one model. */
class Composition implements Weights {
  readonly info: ModelInfo

  constructor(private readonly parts: LoadedParts) {
    this.info = composedInfo(parts)
  }

  get voiceText(): string {
    return this.parts.voice?.voiceText ?? ''
  }

  open(opening: Opening): Engine {
    const { seed, system, thinking, turns = [] } = opening
    if (!this.parts.lm && ((system ?? thinking) !== undefined || turns.length > 0)) throw missing('lm')
    const opened: CascadeParts = {}
    try {
      for (const name of PART_NAMES) {
        const engine = this.parts[name]?.open(
          name === 'lm' ? { ...opening, turns: turns.map(written) } : { ...(seed !== undefined && { seed }) },
        )
        if (engine) opened[name] = engine
      }
      return new CascadeEngine(opened)
    } catch (thrown) {
      new CascadeEngine(opened).dispose()
      throw thrown
    }
  }

  async hashes(): Promise<Record<string, string>> {
    const hashes = Object.entries(this.parts).map(async ([name, part]) => [name, await part.hash()] as const)
    return Object.fromEntries(await Promise.all(hashes))
  }

  async detector(): Promise<SpeechDetector> {
    return this.parts.encoder?.detector() ?? nanoDetector()
  }

  async dispose(): Promise<void> {
    await Promise.all([...new Set(Object.values(this.parts))].map(part => part.dispose()))
  }
}

/** A turn whose reply was written by the language model of a cascade. */
function written({ user, assistant }: Turn): Turn {
  return { user, assistant: { ...assistant, units: [] } }
}

/** The path of a model's file; `option` is the option that gave it, for errors. */
async function fileOf(source: unknown, option: string): Promise<string> {
  const path = check.checkPath(source)
  if (path === undefined) {
    throw new InvalidArgumentError(`${option} must be the path or file: URL of a model`, { option })
  }
  const file = unpacked(path === NANO ? join(packageRoot(), 'models', 'nano.gguf') : path)
  const found = await stat(file).catch((cause: unknown) => {
    throw new ModelNotFoundError(`there is no model at ${file}`, { path: file }, { cause })
  })
  if (!found.isFile()) throw new ModelFormatError(`${file} is not a file`, { path: file })
  return file
}

/** Loads one file, or several as one model. */
export async function load(source: string | URL | ModelParts, options: NativeOptions): Promise<Weights> {
  if (typeof source === 'object' && !(source instanceof URL)) return loadParts(source, options)
  return Part.load(await fileOf(source, 'path'), options)
}

/** Loads the files of the parts in parallel, and checks that each can serve as its part. A single part is a model like its file alone. */
async function loadParts(sources: ModelParts, { threads, ...ofLm }: NativeOptions): Promise<Weights> {
  const given = check.checkOptions<ModelParts>('parts', sources, PART_NAMES)
  const names = PART_NAMES.filter(name => given[name] !== undefined)
  if (names.length === 0)
    throw new InvalidArgumentError('parts must name an encoder, an lm or a voice', { option: 'parts' })
  const paths = await Promise.all(names.map(name => fileOf(given[name], name)))
  const files = [...new Set(paths)]
  const lm = paths[names.indexOf('lm')]
  const loaded = await Promise.allSettled(
    files.map(file => Part.load(file, file === lm ? { threads, ...ofLm } : { threads })),
  )
  const parts = loaded.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  try {
    for (const result of loaded) if (result.status === 'rejected') throw result.reason
    const composed: LoadedParts = {}
    for (const [i, name] of names.entries()) {
      const part = parts[files.indexOf(paths[i] ?? '')]
      if (!part) continue
      checkPart(name, part, lm !== undefined)
      composed[name] = part
    }
    const [alone] = parts
    return names.length === 1 && alone ? alone : new Composition(composed)
  } catch (thrown) {
    await Promise.all(parts.map(part => part.dispose()))
    throw thrown
  }
}

/** @param answered - whether a language model is to answer the speech that the encoder transcribes */
function checkPart(name: PartName, { codec, info }: Part, answered: boolean): void {
  const fail = (what: string): never => {
    const components = info.components.map(c => c.name).join(', ') || 'nothing'
    throw new UnsupportedError(`${info.path} cannot be the ${name}: it ${what} (it holds ${components})`, {
      component: name,
      path: info.path,
    })
  }
  if (name === 'encoder' && info.inputSampleRate === 0) fail('has no encoder')
  if (name === 'encoder' && answered && !codec && !info.ctc)
    fail(
      'cannot transcribe: it needs a CTC head whose units are letters, as Wav2Vec2ForCTC and HubertForCTC checkpoints have',
    )
  if (name === 'lm' && !hasNetwork(info, 'lm')) fail('has no language model')
  if (name === 'voice' && info.sampleRate === 0) fail('has no voice')
}

/** The info of several parts as one model. */
function composedInfo({ encoder, lm, voice }: LoadedParts): ModelInfo {
  const parts = Object.fromEntries(
    Object.entries({ encoder, lm, voice }).flatMap(([name, part]) => (part ? [[name, part.info]] : [])),
  ) as NonNullable<ModelInfo['parts']>
  const all = [...new Set(Object.values(parts))]
  const [ear, mind, mouth] = [encoder?.info, lm?.info, voice?.info]
  return {
    architecture: 'cascade',
    name: all.map(info => info.name).join(' + '),
    license: [...new Set(all.map(info => info.license).filter(Boolean))].join('; '),
    description: '',
    path: '',
    parts,
    units: ear?.units ?? [],
    ...(ear?.ctc && { ctc: ear.ctc }),
    inputSampleRate: ear?.inputSampleRate ?? 0,
    maxInputSeconds: ear?.maxInputSeconds ?? 0,
    maxTurnSeconds: ear?.maxInputSeconds ?? 0,
    vad: ear?.vad ?? false,
    endpoint: false, // its encoder hears a turn only when that has ended
    featureSize: ear?.featureSize ?? 0,
    frameSeconds: ear?.frameSeconds ?? 0,
    nCtx: mind?.nCtx ?? 0,
    maxNCtx: mind?.maxNCtx ?? 0,
    sampling: mind?.sampling ?? DEFAULT_SAMPLING,
    voices: mouth?.voices ?? [],
    defaultVoices: mouth?.defaultVoices ?? { en: 0, zh: 0 },
    emotions: mouth?.emotions ?? [],
    sampleRate: mouth?.sampleRate ?? 0,
    components: all.flatMap(info => info.components),
    threads: Math.max(...all.map(info => info.threads)),
  }
}

const DEFAULT_SAMPLING = { temperature: 0.6, topK: 20, topP: 0.95, repetitionPenalty: 1 }
