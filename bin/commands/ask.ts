import { Command } from 'commander'
import { UsageError } from '../failure.js'
import { textOf } from '../input.js'
import { addReplyFlags, generateOptions, option, type ReplyFlags } from '../options.js'
import { Line, printJson, refuseSharedStdout, withOptionalOutput } from '../output.js'
import { progress } from '../progress.js'
import { withSession, type LmFlags } from '../run.js'
import { roundSeconds } from './shared.js'

interface Flags extends ReplyFlags, LmFlags {
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
  $ cat letter.txt | moss-speech ask --lm qwen3.gguf --system "Summarize." --context-length 16384 -

--lm takes Qwen3 and Llama language models in llama.cpp's GGUF files, of any quantization. The answer appears as it is written.`

export function askCommand(): Command {
  const command = new Command('ask')
    .description('Answer a text, in writing and with -o also aloud.')
    .argument('<text>', 'the text; - is standard input')
    .option('-o, --output <wav>', 'where the spoken answer goes; - is standard output')
    .option('--lm <file>', 'answer with an imported language model: a Qwen3 or Llama GGUF file (in place of --model)')
    .option('--system <text>', 'with --lm: what the model is told before (default: what its own template says)')
    .option('--thinking', 'with --lm: let a model that reasons in writing do so before it answers')
    .addOption(option('--context-length <n>', 'rows of the context (default: the model’s, with --lm at most 4096)'))
    .option('--json', 'print one object: { reply: { text, seconds }, timings }')
    .addHelpText('after', EXAMPLES)
  return addReplyFlags(command).action(ask)
}

async function ask(argument: string, flags: Flags): Promise<void> {
  refuseSharedStdout(flags)
  if (flags.lm !== undefined && flags.model !== undefined) throw new UsageError('--lm and --model are two models')
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
    if (flags.json) printJson({ reply: { text, seconds: roundSeconds(seconds) }, timings })
  })
}
