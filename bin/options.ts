import { existsSync } from 'node:fs'
import { InvalidArgumentError, Option, type Command } from 'commander'
import type { GenerateOptions, ModelParts, SpeakOptions } from '../lib/index.js'
import { UsageError } from './failure.js'
import { lexiconOf } from './input.js'

/** Options of every command that loads a model: a file, or the parts of a composed model. */
export interface ModelFlags {
  model?: string
  encoder?: string
  lm?: string
  /** A voice file (a part), or the name of a voice of the model. */
  voice?: string
  threads?: number
}

/** Options of commands in which an imported language model may answer. */
export interface LmFlags extends ModelFlags {
  system?: string
  thinking?: boolean
  contextLength?: number
}

/** Options of every command that speaks. */
export interface VoiceFlags extends ModelFlags {
  speed?: number
  pitch?: number
  energy?: number
  pause?: number
  emotion?: string
  seed?: number
}

/** Options for reading text aloud, most of them for imported voices. */
export interface ReadingFlags extends VoiceFlags {
  speaker?: string
  noiseScale?: number
  noiseW?: number
  lengthScale?: number
  phonemizer?: string
  /** The path of a lexicon. */
  pronunciations?: string
}

/** Options of every command that answers. */
export interface ReplyFlags extends ReadingFlags, LmFlags {
  temperature?: number
  topP?: number
  topK?: number
  maxTokens?: number
  maxSeconds?: number
}

/** Parses a number; the library checks its range. */
function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It is not a number.')
  return value
}

/** A flag whose value is a number. */
export const option = (flags: string, description: string): Option => new Option(flags, description).argParser(number)

export function addModelFlags(command: Command): Command {
  return command
    .option('--model <file>', 'the model, a GGUF file (default: nano, which comes with the package)')
    .addOption(option('--threads <n>', 'threads a computation uses, 1-256 (default: half of the CPUs)'))
}

export function addVoiceFlags(command: Command): Command {
  return addModelFlags(
    command
      .option(
        '--voice <name or file>',
        'one of the model’s voices, which `moss-speech info` lists (default: by the language spoken), or a mixture, such as af_heart=2,af_bella=1; or a voice file',
      )
      .addOption(option('--speed <factor>', '0.5-2; 2 is twice as fast (default: 1)'))
      .addOption(option('--pitch <semitones>', 'how much higher, -12-12 (default: 0); not with a voice file'))
      .addOption(option('--energy <dB>', 'how much louder, -20-20 (default: 0)'))
      .addOption(option('--pause <factor>', 'on the length of silences, 0-4 (default: 1); not with a voice file'))
      .option('--emotion <name>', '`moss-speech info` lists them (default: neutral)')
      .addOption(option('--seed <n>', 'equal seeds give equal replies')),
  )
}

export function addReadingFlags(command: Command): Command {
  return addVoiceFlags(command)
    .option('--speaker <name>', 'of a voice file: one of its speakers (default: its first)')
    .addOption(option('--noise-scale <n>', 'liveliness of the sound, 0-2 (default: the model’s)'))
    .addOption(option('--noise-w <n>', 'of a voice file: liveliness of the rhythm, 0-2 (default: the voice’s)'))
    .addOption(option('--length-scale <n>', 'of a voice file: factor on all lengths, 0.1-10 (default: the voice’s)'))
    .addOption(
      new Option('--phonemizer <name>', 'of a voice file: who makes phonemes of the text (default: auto)').choices([
        'auto',
        'builtin',
        'espeak-ng',
      ]),
    )
    .option(
      '--pronunciations <file>',
      'how words are read aloud: a JSON object such as { "MOSS": "ˈmɔs", "重庆": "chong2 qing4" }, IPA or pinyin',
    )
}

export function addReplyFlags(command: Command): Command {
  return addReadingFlags(
    command
      .option('--lm <file>', 'a language model that answers in writing, Qwen3 or Llama, in place of --model')
      .option('--system <text>', 'with --lm: what the model is told before (default: what its own template says)')
      .option('--thinking', 'with --lm: let a model that reasons in writing do so before it answers')
      .addOption(
        option('--context-length <n>', 'positions of the context (default: the model’s, with --lm at most 4096)'),
      )
      .addOption(option('--temperature <t>', 'randomness, 0-2; 0 takes the likeliest (default: the model’s)'))
      .addOption(option('--top-p <p>', 'draw from the likeliest that make up p, above 0 to 1 (default: the model’s)'))
      .addOption(option('--top-k <k>', 'draw from the k likeliest; 0 is off (default: the model’s)'))
      .addOption(option('--max-tokens <n>', 'the longest text of a reply, in tokens (default: 512)'))
      .addOption(option('--max-seconds <s>', 'the longest reply (default: 60)')),
  )
}

/** Removes undefined options, for which the library has defaults. */
export function given<T extends object>(options: T): { [K in keyof T]: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never
}

/** For a voice file, `--speaker` selects the voice. */
export function speakOptions(flags: ReadingFlags): SpeakOptions {
  const { speed, pitch, energy, pause, emotion, seed, noiseScale, noiseW, lengthScale, phonemizer, speaker } = flags
  if (!isVoiceFile(flags.voice) && speaker !== undefined) {
    throw new UsageError('--speaker is for voice files (--voice FILE.gguf); --voice names a voice of the model')
  }
  const voice = isVoiceFile(flags.voice) ? speaker : mixtureOf(flags.voice)
  const pronunciations = flags.pronunciations === undefined ? undefined : lexiconOf(flags.pronunciations)
  return given({
    voice,
    speed,
    pitch,
    energy,
    pause,
    emotion,
    seed,
    noiseScale,
    noiseW,
    lengthScale,
    phonemizer,
    pronunciations,
  }) as SpeakOptions
}

/** `af_heart=2,af_bella=1`: names with their shares. */
function mixtureOf(voice: string | undefined): SpeakOptions['voice'] | undefined {
  if (voice?.includes('=') !== true) return voice
  const shares = voice.split(',').map(part => {
    const [, name, share] = /^([^=]+)=(.+)$/.exec(part.trim()) ?? []
    if (name === undefined || !(Number(share) > 0))
      throw new UsageError(`--voice: ${part} is not NAME=SHARE, a share above 0`)
    return [name, Number(share)] as const
  })
  return Object.fromEntries(shares)
}

/** Whether `--voice` names a file and not a voice of the model. `nano` is the file that comes with the package. */
function isVoiceFile(voice: string | undefined): voice is string {
  return voice !== undefined && (voice === 'nano' || voice.endsWith('.gguf') || existsSync(voice))
}

/** The files that flags name. Names that are not files do no harm. */
export function filesOf({ model, encoder, lm, voice, pronunciations }: ReadingFlags): (string | undefined)[] {
  return [model, encoder, lm, voice, pronunciations]
}

/** The argument of `loadModel`. */
export function sourceOf({ model, encoder, lm, voice }: ModelFlags): string | ModelParts | undefined {
  const parts: ModelParts = given({ encoder, lm, voice: isVoiceFile(voice) ? voice : undefined })
  const names = Object.keys(parts)
  if (names.length === 0) return model
  if (model === undefined) return parts
  throw new UsageError(`--model is a whole model; leave it out, or --${names.join(' and --')}`)
}

export function generateOptions(flags: ReplyFlags): GenerateOptions {
  const { temperature, topP, topK, maxTokens, maxSeconds } = flags
  return { ...speakOptions(flags), ...given({ temperature, topP, topK, maxTokens, maxSeconds }) }
}
