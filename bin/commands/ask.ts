import { Command } from 'commander'
import { textOf } from '../input.js'
import { addReplyFlags, generateOptions, type ReplyFlags } from '../options.js'
import { printJson, refuseSharedStdout, say, withOptionalOutput } from '../output.js'
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
  $ moss-speech ask "good morning" --json --seed 7`

export function askCommand(): Command {
  const command = new Command('ask')
    .description('Answer a text, in writing and with -o also aloud.')
    .argument('<text>', 'the text; - is standard input')
    .option('-o, --output <wav>', 'where the spoken answer goes; - is standard output')
    .option('--json', 'print one object: { reply: { text, seconds }, timings }')
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
      for await (const { audio } of stream) if (audio && output) await output.write(audio)
    })
    progress()
    const { text, seconds, timings } = await stream.result()
    if (flags.json) printJson({ reply: { text, seconds: roundSeconds(seconds) }, timings })
    else say(text, flags)
  })
}
