import { Command } from 'commander'
import type { Heard } from '../../lib/index.js'
import { refuseTwoStdins, speechOf } from '../input.js'
import { addReplyFlags, generateOptions, type ReplyFlags } from '../options.js'
import { printJson, refuseSharedStdout, say, withOptionalOutput, type SpeechOutput } from '../output.js'
import { progress } from '../progress.js'
import { withSession, type Run } from '../run.js'
import { heardJson, heardLine, roundSeconds, type HeardJson } from './shared.js'

interface Flags extends ReplyFlags {
  output?: string
  json?: boolean
}

const PAUSE_SECONDS = 0.5

const EXAMPLES = `
Examples:
  $ moss-speech chat question.wav -o answer.wav
  $ moss-speech chat first.wav second.wav -o answers.wav      one conversation, a turn a file
  $ moss-speech chat question.mp3 --json                      answers in writing
  $ moss-speech chat question.wav --encoder wav2vec2.gguf --lm qwen3.gguf --voice joe.gguf -o answer.wav
  $ cat question.wav | moss-speech chat - -o - | aplay

Audio: wav of any common kind, mp3, flac, ogg (Opus, Vorbis). The answers of several turns stand one after the other in the
output, half a second apart. Without -o the answers are written only.

nano answers speech end to end. --encoder, --lm and --voice FILE compose a conversation of other parts: what is said is written down, the
text is answered, the answer is read aloud, a sentence at a time. Any of the three may be nano.`

export function chatCommand(): Command {
  const command = new Command('chat')
    .description('Answer speech: each file is a turn of one conversation.')
    .argument('<audio...>', 'audio files; - is standard input')
    .option('-o, --output <wav>', 'where the spoken answers go; - is standard output')
    .option('--encoder <file>', 'with --lm: a speech encoder that writes down what is said (docs/composing.md)')
    .option('--json', 'print one object: { path, turns: [{ heard, reply, timings }] }')
    .addHelpText('after', EXAMPLES)
  return addReplyFlags(command).action(chat)
}

interface Turn {
  heard: HeardJson
  reply: { text: string; seconds: number }
  timings: object
}

async function chat(inputs: string[], flags: Flags): Promise<void> {
  refuseTwoStdins(inputs)
  refuseSharedStdout(flags)
  await withSession(flags, async run => {
    const turns: Turn[] = []
    const seconds = await withOptionalOutput(flags.output, run.model.info().sampleRate, async output => {
      for (const input of inputs) turns.push(await takeTurn(input, flags, run, output))
      return output?.seconds ?? 0
    })
    progress()
    if (flags.json) printJson({ path: run.session.info().path, turns })
    else if (flags.output !== undefined && flags.output !== '-')
      say(`wrote  ${flags.output} (${seconds.toFixed(2)} s)`, flags)
  })
}

async function takeTurn(
  input: string,
  flags: Flags,
  { session, model, signal }: Run,
  output: SpeechOutput | undefined,
): Promise<Turn> {
  const speech = await speechOf(input)
  progress(`listening to ${input}`)
  const options = { ...generateOptions(flags), output: output ? 'both' : 'text', transcribe: true, signal } as const
  const stream = session.generate({ speech }, options)
  if (output && output.seconds > 0)
    await output.write(new Float32Array(Math.round(PAUSE_SECONDS * model.info().sampleRate)))
  for await (const chunk of stream) {
    if (chunk.audio && output) await output.write(chunk.audio)
    if (output) progress(`answering, ${output.seconds.toFixed(1)} s`)
  }
  const { heard = NOTHING, text, seconds, timings } = await stream.result()
  progress()
  if (!flags.json) {
    say(heardLine(heard), flags)
    say(`reply  ${text}`, flags)
  }
  return { heard: heardJson(heard), reply: { text, seconds: roundSeconds(seconds) }, timings }
}

const NOTHING: Heard = { units: [] }
