import { Command } from 'commander'
import { textOf } from '../input.js'
import { addReplyFlags, generateOptions, filesOf, type ReplyFlags } from '../options.js'
import { Line, printJson } from '../output.js'
import { progress } from '../progress.js'
import { withSession } from '../run.js'
import { addOutputFlags, targetOf, withOptionalSpeechOutput, type OutputFlags } from '../speech-output.js'
import { replyJson, warnOfCut } from './shared.js'

type Flags = ReplyFlags & OutputFlags

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
    .option('--json', 'print one object: { path, reply: { text, seconds, finishReason }, timings }')
    .addHelpText('after', EXAMPLES)
  return addReplyFlags(addOutputFlags(command, 'the spoken answer goes')).action(ask)
}

async function ask(argument: string, flags: Flags): Promise<void> {
  const target = targetOf(flags, [argument === '-' ? '-' : undefined, ...filesOf(flags)])
  const prompt = await textOf(argument)
  const replyOptions = generateOptions(flags)
  await withSession(flags, async ({ model, session, signal }) => {
    const options = { ...replyOptions, output: target ? 'both' : 'text', signal } as const
    const stream = session.generate({ text: prompt }, options)
    progress('answering')
    await withOptionalSpeechOutput(target, model.info().sampleRate, signal, async output => {
      const line = new Line(flags)
      try {
        for await (const { audio, text } of stream) {
          if (audio && output) await output.write(audio)
          if (text && !flags.json) await line.write(text)
        }
      } finally {
        await line.end()
      }
    })
    progress()
    const result = await stream.result()
    const reply = replyJson(result)
    warnOfCut(reply, model, flags)
    if (flags.json) await printJson({ path: session.info().path, reply, timings: result.timings })
  })
}
