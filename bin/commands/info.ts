import { Command } from 'commander'
import { loadModel, type ModelInfo } from '../../lib/index.js'
import { bytesText, printJson } from '../output.js'
import { print } from '../stdout.js'

const EXAMPLES = `
Examples:
  $ moss-speech info
  $ moss-speech info other.gguf --json`

export function infoCommand(): Command {
  return new Command('info')
    .description('Say what a model is: its networks, voices and limits.')
    .argument('[model]', 'a GGUF file (default: nano, which comes with the package)')
    .option('--model <file>', 'the same')
    .option('--json', 'print one object')
    .addHelpText('after', EXAMPLES)
    .action(info)
}

async function info(path: string | undefined, flags: { model?: string; json?: boolean }): Promise<void> {
  const model = await loadModel(path ?? flags.model)
  try {
    if (flags.json) await printJson(model.info())
    else await print(describe(model.info()))
  } finally {
    await model.dispose()
  }
}

const millions = (count: number): string => `${(count / 1e6).toFixed(2)} M`

function listening({ inputSampleRate, maxTurnSeconds, maxInputSeconds }: ModelInfo): string {
  if (inputSampleRate === 0) return ''
  const turn = maxTurnSeconds < maxInputSeconds ? `turns up to ${maxTurnSeconds.toFixed(0)} s, ` : ''
  return `${inputSampleRate} Hz, ${turn}recordings up to ${maxInputSeconds.toFixed(0)} s`
}

function describe(i: ModelInfo): string {
  const total = i.components.reduce(
    (sum, c) => ({ parameters: sum.parameters + c.parameters, bytes: sum.bytes + c.bytes }),
    {
      parameters: 0,
      bytes: 0,
    },
  )
  const networks = [...i.components, { name: 'together', types: [], ...total }].map(
    c =>
      `  ${c.name.padEnd(10)}${millions(c.parameters).padStart(10)}${bytesText(c.bytes).padStart(11)}  ${c.types.join(', ')}`,
  )
  const voices = i.voices.map(v => `${v.name} (${v.language})`).join(', ')
  const sampling = Object.entries(i.sampling).map(([name, value]) => `${name} ${Number(value.toFixed(3))}`)
  const lines: [string, string][] = [
    ['', i.description],
    ['kind', i.architecture],
    ['file', i.path],
    ['licence', i.license],
    ['voices', voices],
    ['emotions', i.emotions.join(', ')],
    ['units', i.units.length > 0 ? `${i.units.length}: ${i.units.slice(1).join('').trim()}` : ''],
    ['listens at', listening(i)],
    ['speaks at', i.sampleRate > 0 ? `${i.sampleRate} Hz` : ''],
    ['context', i.nCtx > 0 ? `${i.nCtx} positions${i.maxNCtx > i.nCtx ? ` of ${i.maxNCtx}` : ''}` : ''],
    ['sampling', sampling.join(', ')],
    ['threads', String(i.threads)],
  ]
  const facts = lines.filter(([, value]) => value).map(([name, value]) => (name ? `${name.padEnd(12)}${value}` : value))
  return [i.name, ...facts, 'networks', ...networks, ''].join('\n')
}
