import { Command } from 'commander'
import type { TranscribeProgress } from '../../lib/index.js'
import { naming } from '../failure.js'
import { speechOf } from '../input.js'
import { addModelFlags, type ModelFlags } from '../options.js'
import { printJson } from '../output.js'
import { progress } from '../progress.js'
import { withSession } from '../run.js'
import { print } from '../stdout.js'
import { heardJson, warnOfInput } from './shared.js'

interface Flags extends ModelFlags {
  json?: boolean
  vad: boolean
}

const EXAMPLES = `
Examples:
  $ moss-speech transcribe recording.wav
  $ moss-speech transcribe recording.ogg --json               text, language, units with their times, pinyin
  $ moss-speech transcribe --encoder wav2vec2.gguf talk.mp3 --json    text, words and letters with their times
  $ arecord -f S16_LE -r 16000 -d 3 | moss-speech transcribe -`

export function transcribeCommand(): Command {
  const command = new Command('transcribe')
    .description('Transcribe speech.')
    .argument('<audio>', 'an audio file; - is standard input')
    .option('--encoder <file>', 'an imported speech encoder (docs/encoders.md); any length, in overlapping windows')
    .option('--no-vad', 'hear all of it as one utterance, also what is no speech')
    .option(
      '--json',
      'print one object: { text, language?, segments?, words?, units: [{ unit, start, end }], pinyin?, noSpeech? }',
    )
    .addHelpText('after', EXAMPLES)
  return addModelFlags(command).action(transcribe)
}

async function transcribe(input: string, flags: Flags): Promise<void> {
  await withSession(flags, async ({ session, signal }) => {
    const speech = await speechOf(input, signal)
    progress(`listening to ${input}`)
    const onProgress = ({ seconds, total }: TranscribeProgress): void =>
      progress(`listening to ${input}, ${seconds.toFixed(0)} of ${total.toFixed(0)} s`)
    const transcript = await naming(input, () => session.transcribe(speech, { vad: flags.vad, signal, onProgress }))
    progress()
    warnOfInput(input, transcript)
    if (flags.json)
      await printJson({ ...heardJson(transcript), ...(transcript.segments && { segments: transcript.segments }) })
    else if (!transcript.noSpeech) await print(`${transcript.text}\n`)
  })
}
