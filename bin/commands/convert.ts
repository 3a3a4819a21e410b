import { Command, Option } from 'commander'
import { convert, type WeightType } from '../../lib/index.js'
import { WEIGHT_TYPES } from '../../lib/convert/weight-types.js'
import { bytesText, printJson } from '../output.js'
import { progress } from '../progress.js'
import { interruptible } from '../run.js'
import { print } from '../stdout.js'
import { pullReporter } from './pull.js'
import { percent, typesLine } from './shared.js'

interface Flags {
  output: string
  type: WeightType
  json?: boolean
}

const EXAMPLES = `
Examples:
  $ moss-speech convert en_US-joe-medium.onnx -o joe.gguf              a Piper voice, with its .onnx.json beside it
  $ moss-speech convert hf:facebook/mms-tts-eng -o eng.gguf            a repository; it is pulled if it is not in the cache
  $ moss-speech convert hf:owner/repo@refs%2Fpr%2F1/sub/folder -o x.gguf
  $ moss-speech convert ./wav2vec2-base-960h -o encoder.gguf --type f16  the folder of a checkpoint

Families, keys and types: docs/converting.md.`

export function convertCommand(): Command {
  return new Command('convert')
    .description('Make a GGUF file of a public checkpoint (safetensors, ONNX); no Python is needed.')
    .argument('<source>', 'a file, the folder of a checkpoint, or hf:owner/repo[@revision][/file or folder]')
    .requiredOption('-o, --output <gguf>', 'the file to be made')
    .addOption(
      new Option('--type <type>', 'of the weights; what does not fit it stays larger')
        .choices(WEIGHT_TYPES)
        .default('q8_0'),
    )
    .option('--json', 'print one object: { family, out, tensors: [{ name, shape, type, bytes }] }')
    .addHelpText('after', EXAMPLES)
    .action(run)
}

async function run(source: string, flags: Flags): Promise<void> {
  const reportPull = pullReporter(source)
  const { family, out, tensors } = await interruptible(flags, signal =>
    convert(source, flags.output, {
      type: flags.type,
      signal,
      onProgress: event => {
        if (event.stage === 'pull') reportPull(event)
        else progress(`converting ${percent(event.done, event.total)} ${event.tensor}`)
      },
    }),
  )
  if (flags.json) return printJson({ family, out, tensors })
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0)
  await print(`${family}: ${tensors.length} tensors, ${bytesText(bytes)}, ${typesLine(tensors)}\nwrote ${out}\n`)
}
