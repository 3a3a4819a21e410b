import { extname } from 'node:path'
import { Command } from 'commander'
import { namingDocument, UsageError } from '../failure.js'
import { textOf, textOfFile } from '../input.js'
import { addReadingFlags, filesOf, speakOptions, type ReadingFlags } from '../options.js'
import { printJson, say } from '../output.js'
import { progress } from '../progress.js'
import { withSession } from '../run.js'
import { withSpeakerOutput } from '../speaker-output.js'
import { addOutputFlags, targetOf, withSpeechOutput, type OutputFlags } from '../speech-output.js'
import { roundSeconds } from './shared.js'

interface Flags extends ReadingFlags, OutputFlags {
  file?: string
  ssml?: boolean
}

const EXAMPLES = `
Examples:
  $ moss-speech say "The kitchen light is on."                played (npm install decibri adds the player)
  $ moss-speech say "The kitchen light is on." -o light.wav
  $ moss-speech say "你好，世界！" -o hello.wav --speed 0.9
  $ moss-speech say "ni3 hao3" -o hello.wav                   pinyin with tone digits is read too
  $ moss-speech say --voice joe.gguf "Good morning." -o joe.wav  an imported voice (moss-speech convert)
  $ moss-speech say --file letter.txt -o letter.wav
  $ cat letter.txt | moss-speech say - -o letter.wav
  $ moss-speech say "Good morning." -o - | aplay              played while it is being made
  $ moss-speech say --ssml '<speak>Wait <break time="500ms"/> for it.</speak>' -o wait.wav
  $ moss-speech say --file letter.ssml -o letter.wav          SSML, by its name
  $ moss-speech say "MOSS speaks." --pronunciations words.json -o moss.wav

words.json holds words and their sounds, in IPA or, of Mandarin, pinyin with tone digits: { "MOSS": "ˈmɔs", "重庆": "chong2 qing4" }.
Which elements of SSML are spoken: docs/text.md.`

export function sayCommand(): Command {
  const command = new Command('say')
    .description('Read a text aloud, English or Mandarin; a voice file reads its own language.')
    .argument('[text]', 'the text; - is standard input')
    .option('--file <path>', 'read this file in place of a text; one named *.ssml is SSML')
    .option('--ssml', 'the text, the file or standard input is an SSML document')
    .option('--json', 'print one object: { text, seconds, sampleRate, language, units }')
    .addHelpText('after', EXAMPLES)
  return addReadingFlags(addOutputFlags(command, 'the speech goes, if it is not to be played')).action(speak)
}

async function speak(argument: string | undefined, flags: Flags): Promise<void> {
  const { file } = flags
  if ((argument === undefined) === (file === undefined))
    throw new UsageError('say takes exactly one of: a text, - for standard input, --file PATH')
  const target = targetOf(flags, [argument === '-' ? '-' : undefined, file, ...filesOf(flags)])
  const options = speakOptions(flags)
  const text = file === undefined ? await textOf(argument ?? '') : await textOfFile(file)
  const isSsml = flags.ssml === true || (file !== undefined && extname(file).toLowerCase() === '.ssml')
  const source = argument === '-' || file === '-' ? 'standard input' : (file ?? '')
  await withSession(flags, async ({ model, session, signal }) => {
    const result = await namingDocument(source, async () => {
      const stream = session.speak(isSsml ? { ssml: text } : text, { ...options, signal })
      const { sampleRate } = model.info()
      const read = async (output: { write(samples: Float32Array): Promise<void>; seconds: number }): Promise<void> => {
        for await (const chunk of stream) {
          if (chunk.audio) await output.write(chunk.audio)
          progress(`speaking, ${output.seconds.toFixed(1)} s`)
        }
      }
      if (target) await withSpeechOutput(target, sampleRate, signal, read)
      else await withSpeakerOutput(sampleRate, signal, read)
      return stream.result()
    })
    progress()
    const { seconds, sampleRate, language, units } = result
    const said = { text: isSsml ? result.text : text, seconds: roundSeconds(seconds), sampleRate, language, units }
    if (flags.json) await printJson(said)
    else if (target && target.path !== '-') await say(`wrote ${target.path} (${seconds.toFixed(2)} s)`, flags)
  })
}
