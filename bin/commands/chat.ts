import { Command } from 'commander'
import type { GenerateOptions, Heard } from '../../lib/index.js'
import { errorJson, isReaderGone, naming } from '../failure.js'
import { refuseTwoStdins, speechOf } from '../input.js'
import { addReplyFlags, generateOptions, filesOf, type ReplyFlags } from '../options.js'
import { printJson, say } from '../output.js'
import { progress } from '../progress.js'
import { withSession, type Run } from '../run.js'
import {
  addOutputFlags,
  targetOf,
  withOptionalSpeechOutput,
  type OutputFlags,
  type SpeechOutput,
} from '../speech-output.js'
import { heardJson, heardLine, replyJson, warnOfCut, warnOfInput, type HeardJson, type ReplyJson } from './shared.js'

type Flags = ReplyFlags & OutputFlags & { vad: boolean }

const PAUSE_SECONDS = 0.5

const EXAMPLES = `
Examples:
  $ moss-speech chat question.wav -o answer.wav
  $ moss-speech chat first.wav second.wav -o answers.wav      one conversation, a turn a file
  $ moss-speech chat question.mp3 --json                      answers in writing
  $ moss-speech chat question.wav --encoder wav2vec2.gguf --lm qwen3.gguf --voice joe.gguf -o answer.wav
  $ cat question.wav | moss-speech chat - -o - | aplay

Audio: wav of any common kind, mp3, flac, ogg (Opus, Vorbis). The answers of several turns stand one after the other in the
output, half a second apart. Without -o the answers are written only. When a turn fails, those before it are answered all the same.

nano answers speech end to end. --encoder, --lm and --voice FILE compose a conversation of other parts: what is said is transcribed, the
text is answered, the answer is read aloud, a sentence at a time. Any of the three may be nano.`

export function chatCommand(): Command {
  const command = new Command('chat')
    .description('Answer speech: each file is a turn of one conversation.')
    .argument('<audio...>', 'audio files; - is standard input')
    .option('--encoder <file>', 'with --lm: a speech encoder that transcribes what is said (docs/composing.md)')
    .option('--no-vad', 'answer what is no speech, too')
    .option('--json', 'print one object: { path, turns: [{ heard, reply, timings }], error? }')
    .addHelpText('after', EXAMPLES)
  return addReplyFlags(addOutputFlags(command, 'the spoken answers go')).action(chat)
}

interface Turn {
  heard: HeardJson
  reply: ReplyJson
  timings: object
}

async function chat(inputs: string[], flags: Flags): Promise<void> {
  refuseTwoStdins(inputs)
  const target = targetOf(flags, [...inputs, ...filesOf(flags)])
  const options = generateOptions(flags)
  await withSession(flags, async run => {
    const turns: Turn[] = []
    const report = async (error?: unknown): Promise<void> => {
      const failed = error === undefined ? {} : { error: errorJson(error) }
      if (flags.json) await printJson({ path: run.session.info().path, turns, ...failed })
    }
    const { sampleRate } = run.model.info()
    const work = async (output: SpeechOutput | undefined): Promise<number> => {
      for (const input of inputs) turns.push(await takeTurn(input, options, flags, run, output))
      return output?.seconds ?? 0
    }
    const seconds = await withOptionalSpeechOutput(target, sampleRate, run.signal, work).catch(
      async (thrown: unknown) => {
        // The turns before the failed one are printed.
        if (turns.length > 0 && !isReaderGone(thrown)) await report(thrown)
        throw thrown
      },
    )
    progress()
    await report()
    if (!flags.json && target && target.path !== '-')
      await say(`wrote  ${target.path} (${seconds.toFixed(2)} s)`, flags)
  })
}

async function takeTurn(
  input: string,
  replyOptions: GenerateOptions,
  flags: Flags,
  { session, model, signal }: Run,
  output: SpeechOutput | undefined,
): Promise<Turn> {
  const speech = await speechOf(input, signal)
  progress(`listening to ${input}`)
  const options = {
    ...replyOptions,
    output: output ? 'both' : 'text',
    transcribe: true,
    vad: flags.vad,
    signal,
  } as const
  const stream = session.generate({ speech }, options)
  let silence = output && output.seconds > 0 ? Math.round(PAUSE_SECONDS * model.info().sampleRate) : 0
  await naming(input, async () => {
    for await (const { audio } of stream) {
      if (!output || !audio) continue
      if (silence > 0) await output.write(new Float32Array(silence))
      silence = 0
      await output.write(audio)
      progress(`answering, ${output.seconds.toFixed(1)} s`)
    }
  })
  const { heard = NOTHING, timings, ...rest } = await stream.result()
  const reply = replyJson(rest)
  warnOfInput(input, heard)
  warnOfCut(reply, model, flags)
  if (!flags.json && !heard.noSpeech) {
    await say(heardLine(heard), flags)
    await say(`reply  ${reply.text}`, flags)
  }
  return { heard: heardJson(heard), reply, timings }
}

const NOTHING: Heard = { units: [] }
