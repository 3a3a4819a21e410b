import { Command } from 'commander'
import { textOf } from '../input.js'
import { addReplyFlags, generateOptions, type ReplyFlags } from '../options.js'
import { Line, printJson, refuseSharedStdout, withOptionalOutput } from '../output.js'
import { progress } from '../progress.js'
import { withSession } from '../run.js'
import { roundSeconds } from './shared.js'

interface Flags extends ReplyFlags {
  output?: string
  json?: boolean
}

const EXAMPLES = `
Examples:
  $ moss-speech ask "turn on the kitchen light"
  $ moss-speech ask "七" -o answer.wav                         the answer is spoken too
  $ moss-speech ask "good morning" --json --seed 7
  $ moss-speech ask --lm smollm2.gguf "What is the capital of France?"
  $ moss-speech ask --lm qwen3.gguf --system "Answer in one sentence." --temperature 0 "Why is the sky blue?"
  $ moss-speech ask --lm qwen3.gguf --voice joe.gguf "Tell me about the moon." -o moon.wav
  $ cat letter.txt | moss-speech ask --lm qwen3.gguf --system "Summarize." --context-length 16384 -

--lm takes Qwen3 and Llama language models in llama.cpp's GGUF files, of any quantization; with a voice file it speaks, a sentence at a
time. The answer appears as it is written.`

export function askCommand(): Command {
  const command = new Command('ask')
    .description('Answer a text, in writing and with -o also aloud.')
    .argument('<text>', 'the text; - is standard input')
    .option('-o, --output <wav>', 'where the spoken answer goes; - is standard output')
    .option('--json', 'print one object: { path, reply: { text, seconds }, timings }')
    .addHelpText('after', EXAMPLES)
  return addReplyFlags(command).action(ask)
}

async function ask(argument: string, flags: Flags): Promise<void> {
  refuseSharedStdout(flags)
  const prompt = await textOf(argument)
  await withSession(flags, async ({ model, session, signal }) => {
    const options = { ...generateOptions(flags), output: flags.output === undefined ? 'text' : 'both', signal } as const
    const stream = session.generate({ text: prompt }, options)
    progress('answering')
    await withOptionalOutput(flags.output, model.info().sampleRate, async output => {
      const line = new Line(flags)
      try {
        for await (const { audio, text } of stream) {
          if (audio && output) await output.write(audio)
          if (text && !flags.json) line.write(text)
        }
      } finally {
        line.end()
      }
    })
    progress()
    const { text, seconds, timings } = await stream.result()
    const { path } = session.info()
    if (flags.json) printJson({ path, reply: { text, seconds: roundSeconds(seconds) }, timings })
  })
}
