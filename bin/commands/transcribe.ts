import { Command } from 'commander'
import { speechOf } from '../input.js'
import { addModelFlags, type ModelFlags } from '../options.js'
import { printJson } from '../output.js'
import { progress } from '../progress.js'
import { withSession } from '../run.js'
import { heardJson } from './shared.js'

interface Flags extends ModelFlags {
  json?: boolean
}

const EXAMPLES = `
Examples:
  $ moss-speech transcribe recording.wav
  $ moss-speech transcribe recording.ogg --json               text, language, units with their times, pinyin
  $ arecord -f S16_LE -r 16000 -d 3 | moss-speech transcribe -`

export function transcribeCommand(): Command {
  const command = new Command('transcribe')
    .description('Write speech down.')
    .argument('<audio>', 'an audio file; - is standard input')
    .option('--json', 'print one object: { text, language, units: [{ unit, start, end }], pinyin? }')
    .addHelpText('after', EXAMPLES)
  return addModelFlags(command).action(transcribe)
}

async function transcribe(input: string, flags: Flags): Promise<void> {
  await withSession(flags, async ({ session, signal }) => {
    const speech = await speechOf(input)
    progress(`listening to ${input}`)
    const transcript = await session.transcribe(speech, { signal })
    progress()
    if (flags.json) printJson(heardJson(transcript))
    else process.stdout.write(`${transcript.text}\n`)
  })
}
