import { Command, InvalidArgumentError } from 'commander'
import { prune, type PrunableComponent, type Pruned, type PrunedComponent } from '../../lib/index.js'
import { given, option } from '../options.js'
import { bytesText, printJson } from '../output.js'
import { progress } from '../progress.js'
import { interruptible } from '../run.js'
import { print } from '../stdout.js'
import { percent } from './shared.js'

interface Flags {
  output: string
  heads: string | number
  component?: PrunableComponent[]
  calibrate?: string[]
  even?: boolean
  threads?: number
  json?: boolean
}

const EXAMPLES = `
Examples:
  $ moss-speech prune nano.gguf -o small.gguf --heads 25%
  $ moss-speech prune nano.gguf -o small.gguf --heads 6 --component encoder --calibrate recordings/
  $ moss-speech prune wav2vec2.gguf -o small.gguf --heads 20% --calibrate a.wav b.flac
  $ moss-speech prune smollm2.gguf -o small.gguf --heads 10% --calibrate book.txt --json
  $ moss-speech prune qwen3.gguf -o small.gguf --heads 25% --even --calibrate texts/   llama.cpp reads this one too

What a head contributes is measured on one half of the calibration set, what its loss costs on the other. A language model loses
key/value heads with their query heads. docs/pruning.md tells more.`

function headsOption(text: string): string | number {
  if (!/^(\d+(\.\d+)?%|[1-9]\d*)$/.test(text)) throw new InvalidArgumentError('It must be a share, 25%, or a number.')
  return text.endsWith('%') ? text : Number(text)
}

function componentOption(text: string, before: PrunableComponent[] = []): PrunableComponent[] {
  return [...before, ...text.split(',').map(name => name.trim() as PrunableComponent)] // the library checks the names
}

export function pruneCommand(): Command {
  return new Command('prune')
    .description('Write a model anew without the attention heads that contribute least, and say what that costs.')
    .argument('<model>', 'a GGUF file: a bundle, an imported encoder or language model')
    .requiredOption('-o, --output <gguf>', 'the file to be made')
    .requiredOption('--heads <share>', 'how many go from each component: 25%, or a number', headsOption)
    .option('--component <name,...>', 'encoder, lm (default: those that the model has)', componentOption)
    .option(
      '--calibrate <path...>',
      'recordings and texts (.txt) to measure on, or folders of them (default, for nano: sentences of its own)',
    )
    .option('--even', 'the same number from every block, so that llama.cpp reads the file')
    .addOption(option('--threads <n>', 'threads a computation uses, 1-256 (default: half of the CPUs)'))
    .option('--json', 'print one object: { out, bytesBefore, bytesAfter, components, requantized }')
    .addHelpText('after', EXAMPLES)
    .action(run)
}

async function run(model: string, flags: Flags): Promise<void> {
  const { heads, component: components, calibrate, even, threads } = flags
  const result = await interruptible(flags, signal =>
    prune(model, flags.output, {
      heads,
      ...given({ components, calibrate, even, threads }),
      signal,
      onProgress: ({ stage, done, total, name }) =>
        progress(
          `${{ measure: 'measuring', write: 'writing', compare: 'comparing' }[stage]} ${percent(done, total)} ${name}`,
        ),
    }),
  )
  if (flags.json) await printJson(result)
  else await print(describe(result))
}

const row = (name: string, before: string, after: string, rest = ''): string =>
  `${name.padEnd(24)}${before.padStart(10)}${after.padStart(10)}  ${rest}`.trimEnd()

const millions = (parameters: number): string => `${(parameters / 1e6).toFixed(2)} M`

function describe({ out, bytesBefore, bytesAfter, components, requantized }: Pruned): string {
  return [
    row('', 'before', 'after'),
    ...components.flatMap(describeComponent),
    row('file', bytesText(bytesBefore), bytesText(bytesAfter)),
    ...requantized.map(({ name, type, reason }) => `${name}: rounded anew to ${type}, ${reason}`),
    `wrote ${out}`,
    '',
  ].join('\n')
}

function describeComponent(component: PrunedComponent): string[] {
  const { name, blocks, quality } = component
  const grouped = blocks.some(block => block.kvHeadsBefore !== block.headsBefore)
  return [
    row(name, '', '', `pieces: measured on ${component.measuredOn}, compared on ${quality.pieces}`),
    row('  heads', `${component.headsBefore}`, `${component.headsAfter}`),
    row('  parameters', millions(component.parametersBefore), millions(component.parametersAfter)),
    row('  bytes', bytesText(component.bytesBefore), bytesText(component.bytesAfter)),
    ...describeQuality(quality),
    ...blocks
      .filter(({ removed }) => removed.length > 0)
      .map(block =>
        row(
          `  ${block.name}`,
          `${block.headsBefore}`,
          `${block.headsAfter}`,
          `without ${grouped ? 'group' : 'head'} ${block.removed.join(', ')}`,
        ),
      ),
  ]
}

function describeQuality(quality: PrunedComponent['quality']): string[] {
  if ('frames' in quality) {
    const { frames, cosine, units, disagreement } = quality
    return [
      row('  hidden states, cosine', '1', cosine.toFixed(4), `of ${frames} frames`),
      ...(units > 0 ? [row('  units that differ', '0 %', `${(100 * disagreement).toFixed(1)} %`, `of ${units}`)] : []),
    ]
  }
  const { crossEntropyBefore, crossEntropyAfter, perplexityBefore, perplexityAfter, divergence, tokens } = quality
  return [
    row('  cross-entropy, nats', crossEntropyBefore.toFixed(4), crossEntropyAfter.toFixed(4), `of ${tokens} ids`),
    row('  perplexity', perplexityBefore.toFixed(2), perplexityAfter.toFixed(2)),
    row('  divergence, nats', '0', divergence.toFixed(4)),
  ]
}
