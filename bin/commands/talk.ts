import { Command, Option } from 'commander'
import { openMicrophone, openSpeaker } from '../../lib/audio/decibri.js'
import type { AudioInput, AudioOutput } from '../../lib/audio/device.js'
import { RecordedInput, RecordedOutput } from '../../lib/audio/recorded.js'
import { readAudio, type LiveOptions, type TurnDetection } from '../../lib/index.js'
import { Duplex } from '../../lib/live/duplex.js'
import { naming, UsageError } from '../failure.js'
import { withKeys } from '../keys.js'
import { addReplyFlags, filesOf, generateOptions, given, option, type ReplyFlags } from '../options.js'
import { withSession, type Run } from '../run.js'
import {
  addOutputFlags,
  targetOf,
  withOptionalSpeechOutput,
  type OutputFlags,
  type SpeechOutput,
} from '../speech-output.js'
import { TalkLog } from '../talk-log.js'

interface Flags extends ReplyFlags, OutputFlags {
  input?: string
  fast?: boolean
  turnDetection?: TurnDetection
  bargeIn: boolean
  silence?: number
  completeAfter?: number
  completeness?: number
  threshold?: number
  interruptAfter?: number
  interruptThreshold?: number
  interruptSounds?: number
  echoCancellation?: boolean
  transcribe?: boolean
}

const LONGEST_INPUT = 24 * 3600

const EXAMPLES = `
Examples:
  $ moss-speech talk                                          microphone and speaker; headphones are best
  $ moss-speech talk --echo-cancellation                      with loudspeakers
  $ moss-speech talk --voice af_heart --silence 400           another voice, a quicker answer
  $ moss-speech talk --turn-detection manual                  space ends a turn (push-to-talk)
  $ moss-speech talk --input questions.wav -o answers.wav     files in place of microphone and speaker, in real time
  $ moss-speech talk --input questions.wav -o answers.wav --fast --json
  $ moss-speech talk --encoder wav2vec2.gguf --lm qwen3.gguf --voice joe.gguf

Keys: space ends your turn, Esc stops the reply, v takes the next voice, q quits. Speech during a reply stops it.

Microphone and speaker need the package decibri: npm install decibri. The file that -o names is as long as the input and holds what
the speaker would have played at each time of it. With --fast the input waits while a reply is computed: the same conversation on every
machine, as if computing took no time. When the input ends, the last reply is finished.

--json prints an object a line, an event each: speechStart, turnEnd, heard, text, audio (its place and length), replyEnd, interrupted,
shortened, noSpeech (docs/live.md).`

export function talkCommand(): Command {
  const command = new Command('talk')
    .description('Talk: a spoken conversation with microphone and speaker.')
    .option('--input <file>', 'a recording in place of the microphone')
    .option('--fast', 'with --input and -o: as fast as it goes, not in real time')
    .option('--encoder <file>', 'with --lm: a speech encoder that transcribes what is said (docs/composing.md)')
    .addOption(
      new Option(
        '--turn-detection <name>',
        'who ends your turn (default: auto); manual: you, with the space bar',
      ).choices(['auto', 'vad', 'manual']),
    )
    .addOption(
      option(
        '--silence <ms>',
        'a pause of this length ends your turn in any case, 100-10000 (default: 2000, with vad 600)',
      ),
    )
    .addOption(
      option(
        '--complete-after <ms>',
        'after this silence a turn that seems complete ends (default: 200; not with vad)',
      ),
    )
    .addOption(
      option('--completeness <p>', 'the probability from which on it does, 0-1 (default: 0.8); higher cuts off fewer'),
    )
    .addOption(option('--threshold <p>', 'probability of speech, 0.05-0.95 (default: 0.4)'))
    .option('--no-barge-in', 'do not listen during a reply')
    .addOption(option('--interrupt-after <ms>', 'speech of this length stops a reply, 32-2000 (default: 150)'))
    .addOption(
      option('--interrupt-threshold <p>', 'probability of speech that stops a reply, 0.05-0.95 (default: 0.6)'),
    )
    .addOption(option('--interrupt-sounds <n>', 'vowels and consonants in what stops a reply, 0-20 (default: 3)'))
    .option('--echo-cancellation', 'remove the sound of the speaker from that of the microphone')
    .option('--transcribe', 'also write what was said, which makes answers later; without it, its sounds are shown')
    .option('--json', 'print an object a line, an event each')
    .addHelpText('after', EXAMPLES)
  return addReplyFlags(addOutputFlags(command, 'the replies go in place of the speaker')).action(talk)
}

function listenOptions(flags: Flags): LiveOptions {
  const { turnDetection, silence, completeAfter, completeness, threshold } = flags
  const { interruptAfter, interruptThreshold, interruptSounds, echoCancellation, transcribe } = flags
  return {
    ...generateOptions(flags),
    ...given({ turnDetection, silence, completeAfter, completeness, threshold }),
    ...given({ interruptAfter, interruptThreshold, interruptSounds, echoCancellation, transcribe }),
    bargeIn: flags.bargeIn,
    output: 'both',
  }
}

async function talk(flags: Flags): Promise<void> {
  const target = targetOf(flags, [flags.input, ...filesOf(flags)])
  if (flags.fast && (flags.input === undefined || target === undefined))
    throw new UsageError('--fast is for files: it needs --input and -o')
  const options = listenOptions(flags)
  await withSession(flags, async run => {
    const { sampleRate } = run.model.info()
    await withOptionalSpeechOutput(target, sampleRate, run.signal, file => converse(run, options, flags, file))
  })
}

async function converse(
  { model, session, signal }: Run,
  options: LiveOptions,
  flags: Flags,
  file: SpeechOutput | undefined,
): Promise<void> {
  await session.listen({ ...options, signal }).close() // refuses wrong options before the devices are opened
  const voices = model.info().voices.map(voice => voice.name)
  let voice = typeof options.voice === 'string' ? options.voice : undefined
  const output = await outputOf(model.info().sampleRate, file)
  const log = new TalkLog(model, flags)
  try {
    const input = await inputOf(flags, signal)
    const duplex = new Duplex(() => session.listen({ ...options, ...given({ voice }), signal }), {
      input,
      output,
      waits: flags.fast === true,
      echoCancellation: flags.echoCancellation === true,
      onInput: samples => log.level(samples, duplex.speaks),
    })
    const nextVoice = (): void => {
      voice = voices[((voice === undefined ? -1 : voices.indexOf(voice)) + 1) % voices.length] ?? ''
      log.note(`voice  ${voice}`)
      duplex.restart()
    }
    const keys = {
      space: () => duplex.commit(),
      escape: () => duplex.cancel(),
      v: nextVoice,
      q: () => duplex.stop(),
    }
    await withKeys(process.stdin, keys, async () => {
      for await (const event of duplex) await log.tell(event)
    })
  } finally {
    await log.end()
    output.close()
  }
}

async function inputOf({ input, fast }: Flags, signal: AbortSignal): Promise<AudioInput> {
  if (input === undefined) return openMicrophone()
  const { samples, sampleRate } = await naming(input, () => readAudio(input, { maxSeconds: LONGEST_INPUT, signal }))
  return new RecordedInput(samples, sampleRate, fast !== true)
}

async function outputOf(sampleRate: number, file: SpeechOutput | undefined): Promise<AudioOutput> {
  return file ? new RecordedOutput(sampleRate, samples => file.write(samples)) : openSpeaker(sampleRate)
}
