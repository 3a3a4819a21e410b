import { existsSync } from 'node:fs'
import { InvalidArgumentError, Option, type Command } from 'commander'
import type { GenerateOptions, SpeakOptions } from '../lib/index.js'

/** Options of every command that loads a model. */
export interface ModelFlags {
  model?: string
  threads?: number
}

/** Options of every command that speaks. */
export interface VoiceFlags extends ModelFlags {
  voice?: string
  speed?: number
  emotion?: string
  seed?: number
}

/** Options of reading aloud, most of them for imported voices. */
export interface ReadingFlags extends VoiceFlags {
  speaker?: string
  noiseScale?: number
  noiseW?: number
  lengthScale?: number
  phonemizer?: string
}

/** Options of every command that answers. */
export interface ReplyFlags extends VoiceFlags {
  temperature?: number
  topP?: number
  topK?: number
  maxTokens?: number
  maxSeconds?: number
}

/** A number on the command line; its range is checked by the library. */
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
        '--voice <name>',
        'one of the model’s voices, which `moss-speech info` lists (default: by the language spoken)',
      )
      .addOption(option('--speed <factor>', '0.5-2; 2 is twice as fast (default: 1)'))
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
}

export function addReplyFlags(command: Command): Command {
  return addVoiceFlags(
    command
      .addOption(option('--temperature <t>', 'randomness, 0-2; 0 takes the likeliest (default: the model’s)'))
      .addOption(option('--top-p <p>', 'draw from the likeliest that make up p, above 0 to 1 (default: the model’s)'))
      .addOption(option('--top-k <k>', 'draw from the k likeliest; 0 is off (default: the model’s)'))
      .addOption(option('--max-tokens <n>', 'the longest text of a reply, in tokens (default: 512)'))
      .addOption(option('--max-seconds <s>', 'the longest reply (default: 60)')),
  )
}

/** Only what was given: the library knows the defaults. */
export function given<T extends object>(options: T): { [K in keyof T]: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never
}

export function speakOptions({ voice, speed, emotion, seed }: VoiceFlags): SpeakOptions {
  return given({ voice, speed, emotion, seed })
}

/** A voice file is a model of its own; `speaker` is a voice in it. */
export function readingOptions({ noiseScale, noiseW, lengthScale, phonemizer, ...flags }: ReadingFlags): SpeakOptions {
  const voice = isVoiceFile(flags.voice) ? flags.speaker : flags.voice
  return given({ ...speakOptions(flags), voice, noiseScale, noiseW, lengthScale, phonemizer }) as SpeakOptions
}

/** `--voice` names a voice in the model, or a file. */
export function isVoiceFile(voice: string | undefined): voice is string {
  return voice !== undefined && (voice.endsWith('.gguf') || existsSync(voice))
}

export function generateOptions(flags: ReplyFlags): GenerateOptions {
  const { temperature, topP, topK, maxTokens, maxSeconds } = flags
  return { ...speakOptions(flags), ...given({ temperature, topP, topK, maxTokens, maxSeconds }) }
}
