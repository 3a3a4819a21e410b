import { Command } from 'commander'
import { textOf } from '../input.js'
import { addReadingFlags, speakOptions, type ReadingFlags } from '../options.js'
import { printJson, refuseSharedStdout, say, withOutput } from '../output.js'
import { progress } from '../progress.js'
import { withSession } from '../run.js'
import { roundSeconds } from './shared.js'

interface Flags extends ReadingFlags {
  output: string
  json?: boolean
}

const EXAMPLES = `
Examples:
  $ moss-speech say "The kitchen light is on." -o light.wav
  $ moss-speech say "你好，世界！" -o hello.wav --speed 0.9
  $ moss-speech say "ni3 hao3" -o hello.wav                   pinyin with tone digits is read too
  $ moss-speech say --voice joe.gguf "Good morning." -o joe.wav  an imported voice (moss-speech convert)
  $ cat letter.txt | moss-speech say - -o letter.wav`

export function sayCommand(): Command {
  const command = new Command('say')
    .description('Read a text aloud, English or Mandarin; a voice file reads its own language.')
    .argument('<text>', 'the text; - is standard input')
    .requiredOption('-o, --output <wav>', 'where the speech goes; - is standard output')
    .option('--json', 'print one object: { text, seconds, sampleRate, language, units }')
    .addHelpText('after', EXAMPLES)
  return addReadingFlags(command).action(speak)
}

async function speak(argument: string, flags: Flags): Promise<void> {
  refuseSharedStdout(flags)
  const options = speakOptions(flags)
  const text = await textOf(argument)
  await withSession(flags, async ({ model, session, signal }) => {
    const stream = session.speak(text, { ...options, signal })
    await withOutput(flags.output, model.info().sampleRate, async output => {
      for await (const chunk of stream) {
        if (chunk.audio) await output.write(chunk.audio)
        progress(`speaking, ${output.seconds.toFixed(1)} s`)
      }
    })
    progress()
    const { seconds, sampleRate, language, units } = await stream.result()
    if (flags.json) printJson({ text, seconds: roundSeconds(seconds), sampleRate, language, units })
    else if (flags.output !== '-') say(`wrote ${flags.output} (${seconds.toFixed(2)} s)`, flags)
  })
}
