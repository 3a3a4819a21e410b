import { Command } from 'commander'
import { textOf } from '../input.js'
import { addReadingFlags, modelFiles, speakOptions, type ReadingFlags } from '../options.js'
import { printJson, say } from '../output.js'
import { progress } from '../progress.js'
import { withSession } from '../run.js'
import { addOutputFlags, targetOf, withSpeechOutput, type OutputFlags } from '../speech-output.js'
import { roundSeconds } from './shared.js'

interface Flags extends ReadingFlags, OutputFlags {
  output: string
}

const EXAMPLES = `
Examples:
  $ moss-speech say "The kitchen light is on." -o light.wav
  $ moss-speech say "你好，世界！" -o hello.wav --speed 0.9
  $ moss-speech say "ni3 hao3" -o hello.wav                   pinyin with tone digits is read too
  $ moss-speech say --voice joe.gguf "Good morning." -o joe.wav  an imported voice (moss-speech convert)
  $ cat letter.txt | moss-speech say - -o letter.wav
  $ moss-speech say "Good morning." -o - | aplay              played while it is being made`

export function sayCommand(): Command {
  const command = new Command('say')
    .description('Read a text aloud, English or Mandarin; a voice file reads its own language.')
    .argument('<text>', 'the text; - is standard input')
    .option('--json', 'print one object: { text, seconds, sampleRate, language, units }')
    .addHelpText('after', EXAMPLES)
  return addReadingFlags(addOutputFlags(command, 'the speech goes', true)).action(speak)
}

async function speak(argument: string, flags: Flags): Promise<void> {
  const target = targetOf(flags, modelFiles(flags))
  const options = speakOptions(flags)
  const text = await textOf(argument)
  await withSession(flags, async ({ model, session, signal }) => {
    const stream = session.speak(text, { ...options, signal })
    await withSpeechOutput(target, model.info().sampleRate, signal, async output => {
      for await (const chunk of stream) {
        if (chunk.audio) await output.write(chunk.audio)
        progress(`speaking, ${output.seconds.toFixed(1)} s`)
      }
    })
    progress()
    const { seconds, sampleRate, language, units } = await stream.result()
    if (flags.json) await printJson({ text, seconds: roundSeconds(seconds), sampleRate, language, units })
    else if (flags.output !== '-') await say(`wrote ${flags.output} (${seconds.toFixed(2)} s)`, flags)
  })
}
