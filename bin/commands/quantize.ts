import { Command, InvalidArgumentError } from 'commander'
import { quantize, type Quantized, type TensorType } from '../../lib/index.js'
import { TENSOR_TYPES } from '../../lib/convert/weight-types.js'
import { UsageError } from '../failure.js'
import { bytesText, printJson } from '../output.js'
import { progress } from '../progress.js'
import { interruptible } from '../run.js'
import { print } from '../stdout.js'
import { percent } from './shared.js'

/** `--type q8_0 --type lm=q4_k --type voice.conv=q8_0`: the type of a component, or of its convolutions; '' for all others. */
type Types = Record<string, TensorType>

interface Flags {
  output: string
  type: Types
  json?: boolean
}

const EXAMPLES = `
Examples:
  $ moss-speech quantize nano.gguf -o small.gguf --type lm=q4_k --type encoder=q5_0
  $ moss-speech quantize voice.gguf -o voice-int8.gguf --type q8_0 --type voice.conv=q8_0
  $ moss-speech quantize voice.gguf -o voice-f32.gguf --type f32
  $ moss-speech quantize model-f16.gguf -o model-q8.gguf --type q8_0 --json

Types: ${TENSOR_TYPES.join(', ')}.
Components: frontend, tone, encoder, aligner, lm, decoder, voice. Their convolutions are COMPONENT.conv, all convolutions conv (f32, f16,
bf16 or q8_0); without that they are not quantized, and tables never are. A matrix whose rows do not fit the type gets one of
smaller blocks. All of these are named.`

function typeOption(text: string, types: Types): Types {
  const [type = '', component = ''] = text.split('=').reverse()
  if (!(TENSOR_TYPES as string[]).includes(type)) {
    throw new InvalidArgumentError(`It must be one of ${TENSOR_TYPES.join(', ')}, or COMPONENT=TYPE.`)
  }
  return { ...types, [component]: type as TensorType }
}

export function quantizeCommand(): Command {
  return new Command('quantize')
    .description('Write a model anew with weights of other types, and say what that costs.')
    .argument('<model>', 'a GGUF file: a bundle, or a component of its own')
    .requiredOption('-o, --output <gguf>', 'the file to be made')
    .option('--type <[component=]type>', 'of all components, or of one; may be repeated', typeOption, {})
    .option('--json', 'print one object: { out, bytesBefore, bytesAfter, components, exceptions, fallbacks }')
    .addHelpText('after', EXAMPLES)
    .action(run)
}

async function run(model: string, flags: Flags): Promise<void> {
  const { '': type, ...types } = flags.type
  if (type === undefined && Object.keys(types).length === 0) throw new UsageError('--type is needed')
  const result = await interruptible(flags, signal =>
    quantize(model, flags.output, {
      ...(type && { type }),
      types,
      signal,
      onProgress: ({ done, total, tensor }) => progress(`quantizing ${percent(done, total)} ${tensor}`),
    }),
  )
  if (flags.json) await printJson(result)
  else await print(describe(result))
}

const errorText = (relative: number): string => (relative > 0 ? `${(100 * relative).toPrecision(3)} %` : '0')

function describe({ out, bytesBefore, bytesAfter, components, exceptions, fallbacks }: Quantized): string {
  const row = (name: string, before: string, after: string, error: string, rest: string): string =>
    `${name.padEnd(10)}${before.padStart(11)}${after.padStart(11)}${error.padStart(10)}  ${rest}`.trimEnd()
  return [
    row('', 'before', 'after', 'error', 'types; the worst tensor'),
    ...components.map(({ name, bytesBefore: before, bytesAfter: after, relativeError, types, worst }) =>
      row(
        name,
        bytesText(before),
        bytesText(after),
        errorText(relativeError),
        types.join(', ') + (worst ? `; ${worst.name} ${errorText(worst.relativeError)}` : ''),
      ),
    ),
    row('file', bytesText(bytesBefore), bytesText(bytesAfter), '', ''),
    ...fallbacks.map(({ name, type, reason }) => `${name}: ${type}, ${reason}`),
    ...grouped(exceptions),
    `wrote ${out}`,
    '',
  ].join('\n')
}

/** One line for each reason, because there are many tables. */
function grouped(exceptions: Quantized['exceptions']): string[] {
  const reasons = [...new Set(exceptions.map(({ reason }) => reason))]
  return reasons.map(reason => {
    const names = exceptions.filter(entry => entry.reason === reason).map(({ name }) => name)
    return `not quantized (${reason}): ${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`
  })
}
