import { statSync } from 'node:fs'
import { loadAddon, type NativeModel } from '../binding.js'
import { openGguf, type GgufFile } from '../convert/gguf.js'
import type { GgufTensor } from '../convert/gguf-tensor.js'
import { GgufWriter, type WrittenTensor } from '../convert/gguf-writer.js'
import { componentOf, type Exception } from '../convert/quantize.js'
import { rowType } from '../convert/storage.js'
import { elementsOf } from '../convert/tensor.js'
import { blockSize } from '../convert/weight-types.js'
import { InvalidArgumentError, UnsupportedError } from '../errors.js'
import { builtIn, sourcesAt, type CalibrationSource } from './calibration.js'
import { CutTensor, type Run } from './cut-tensor.js'
import { Exercises, type OnSource } from './exercises.js'
import {
  chooseHeads,
  headBlocks,
  PRUNABLE,
  setHeadCounts,
  type Choice,
  type HeadAmount,
  type HeadBlock,
  type PrunableComponent,
} from './heads.js'
import { compareEncoders, compareLanguageModels, type EncoderQuality, type LanguageModelQuality } from './quality.js'

export interface PruneInput {
  path: string
  out: string
  amount: HeadAmount
  components: PrunableComponent[] | undefined
  calibrate: string[] | undefined
  even: boolean
  threads: number | undefined
}

/** The progress of pruning: `measure` the contributions of heads, `write` the file, `compare` it with the original. */
export interface PruneProgress {
  readonly stage: 'measure' | 'write' | 'compare'
  readonly done: number
  readonly total: number
  /** The current recording, text or tensor; '' at the end. */
  readonly name: string
}

/** The changes of a block. */
export interface PrunedBlock {
  /** The prefix of its tensors: `encoder.blk.0`, `blk.3`, `audio.blk.0`. */
  readonly name: string
  readonly headsBefore: number
  readonly headsAfter: number
  /** The number of key/value heads, each with its group of query heads; in an encoder the number of heads. */
  readonly kvHeadsBefore: number
  readonly kvHeadsAfter: number
  /** Which of these were removed, counted from 0. */
  readonly removed: readonly number[]
  /**
   * The contribution of each of them: the norm of what it adds to the residual stream, relative to the norm of the
   * stream, on average.
   */
  readonly contributions: readonly number[]
}

/** The changes of one component. */
export interface PrunedComponent {
  readonly name: PrunableComponent
  readonly headsBefore: number
  readonly headsAfter: number
  /** The parameters of the whole component. */
  readonly parametersBefore: number
  readonly parametersAfter: number
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly blocks: readonly PrunedBlock[]
  /** The number of pieces of the calibration set on which contributions were measured. */
  readonly measuredOn: number
  /** The quality compared to the unchanged model, on the other pieces. */
  readonly quality: EncoderQuality | LanguageModelQuality
}

export interface Pruned {
  readonly out: string
  /** The sizes of the files. */
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly components: PrunedComponent[]
  /** Matrices whose columns could not be cut at the borders of their type's blocks. They were rounded again, to `type`. */
  readonly requantized: Exception[]
}

interface Plan {
  component: PrunableComponent
  choices: Choice[]
  contributions: ReadonlyMap<string, readonly number[]>
  exercises: Exercises
  measuredOn: number
}

type OnProgress = (progress: PruneProgress) => void

/** Copies a model without the heads that contribute least. Blocks: runs in the conversion thread. @internal */
export async function pruneFile(input: PruneInput, onProgress: OnProgress): Promise<Pruned> {
  const { path, out, threads } = input
  const model = await loadAddon().loadModel(path, { threads })
  const file = openGguf(path)
  try {
    const plans: Plan[] = []
    for (const component of componentsOf(file, input.components)) {
      plans.push(await makePlan(component, file, model, input, onProgress))
    }
    const writer = new GgufWriter(out).copyKeys(file)
    const requantized = declare(file, writer, plans)
    const quality = new Map<PrunableComponent, EncoderQuality | LanguageModelQuality>()
    const written = await writer.finish({
      onProgress: (done, total, name) => onProgress({ stage: 'write', done, total, name }),
      verify: async part => {
        const pruned = await loadAddon().loadModel(part, { threads })
        try {
          for (const plan of plans) quality.set(plan.component, await compare(plan, model, pruned, onProgress))
        } finally {
          pruned.dispose()
        }
      },
    })
    const components = plans.map(plan => summarize(plan, file, written, quality))
    return { out, bytesBefore: statSync(path).size, bytesAfter: statSync(out).size, components, requantized }
  } finally {
    file.close()
    model.dispose()
  }
}

function componentsOf(file: GgufFile, wanted: readonly PrunableComponent[] | undefined): readonly PrunableComponent[] {
  const present = PRUNABLE.filter(component => headBlocks(file, component))
  if (present.length === 0) {
    throw new UnsupportedError(`${file.path} has no encoder and no language model: there are no heads to remove`, {
      path: file.path,
    })
  }
  const missing = wanted?.find(component => !present.includes(component))
  if (missing) {
    throw new InvalidArgumentError(`the file has no component ${missing}; it has ${present.join(' and ')}`, {
      option: 'components',
      component: missing,
    })
  }
  return wanted ?? present
}

async function makePlan(
  component: PrunableComponent,
  file: GgufFile,
  model: NativeModel,
  input: PruneInput,
  onProgress: OnProgress,
): Promise<Plan> {
  const blocks = headBlocks(file, component) ?? []
  const exercises = new Exercises(model, input.path, component, sourcesOf(model, input.calibrate))
  const onSource: OnSource = (done, total, name) => onProgress({ stage: 'measure', done, total, name })
  const { contributions, measuredOn } = await measure(model, component, exercises, onSource)
  return {
    component,
    choices: chooseHeads(blocks, contributions, input.amount, input.even),
    contributions,
    exercises,
    measuredOn,
  }
}

function sourcesOf(model: NativeModel, paths: readonly string[] | undefined): CalibrationSource[] {
  if (paths) return sourcesAt(paths)
  const { architecture, sampleRate, tokenizer } = model.info()
  if (architecture === 'moss-speech' && sampleRate > 0 && tokenizer !== '') return builtIn()
  throw new InvalidArgumentError(
    'calibrate: recordings (for an encoder) or texts (for a language model) are needed, on which to measure what heads contribute',
    { option: 'calibrate' },
  )
}

/** The mean contributions over all frames or ids of the pieces. */
async function measure(
  model: NativeModel,
  component: PrunableComponent,
  exercises: Exercises,
  onSource: OnSource,
): Promise<{ contributions: Map<string, number[]>; measuredOn: number }> {
  const sums = new Map<string, { positions: number; sum: number[] }>()
  let measuredOn = 0
  for await (const exercise of exercises.of('measured', onSource)) {
    for (const { block, shares, positions } of await model.measureHeads(component, exercise)) {
      const all = sums.get(block) ?? { positions: 0, sum: shares.map(() => 0) }
      sums.set(block, {
        positions: all.positions + positions,
        sum: all.sum.map((sum, i) => sum + positions * (shares[i] ?? 0)),
      })
    }
    measuredOn++
  }
  if (exercises.pieces < 2) {
    throw new InvalidArgumentError(
      'calibrate: two recordings or texts are needed at least, or longer ones: one to measure on, one to be held out',
      { option: 'calibrate', found: exercises.pieces },
    )
  }
  const mean = [...sums].map(([block, { positions, sum }]) => [block, sum.map(value => value / positions)] as const)
  return { contributions: new Map(mean), measuredOn }
}

/** Declares the remaining part of each tensor. Returns the tensors that are rounded again. */
function declare(file: GgufFile, writer: GgufWriter, plans: readonly Plan[]): Exception[] {
  const cuts = new Map<string, { dimension: number; runs: Run[] }>()
  for (const { component, choices } of plans) {
    setHeadCounts(file, writer, component, choices.map(left))
    for (const choice of choices) for (const [name, cut] of cutsOf(choice)) cuts.set(name, cut)
  }
  const requantized: Exception[] = []
  for (const tensor of file.tensors.values()) {
    const cut = cuts.get(tensor.name)
    if (!cut) writer.add(tensor.name, tensor, tensor.type)
    else addCut(writer, tensor, new CutTensor(tensor, cut.dimension, cut.runs), requantized)
  }
  return requantized
}

function addCut(writer: GgufWriter, tensor: GgufTensor, cut: CutTensor, requantized: Exception[]): void {
  const type = rowType(cut.shape.at(-1) ?? 1, tensor.type, 'f16')
  writer.add(tensor.name, cut, type)
  if (!cut.whole) {
    const block = blockSize(tensor.type)
    requantized.push({ name: tensor.name, type, reason: `heads do not end with blocks of ${block} values` })
  }
}

/** The block after a choice. */
function left({ block, kept }: Choice): HeadBlock {
  return { ...block, kvHeads: kept.length, heads: (block.heads / block.kvHeads) * kept.length }
}

/** The cuts of a block's tensors, by the names of both encoders and language models. */
function cutsOf({ block, removed, kept }: Choice): [string, { dimension: number; runs: Run[] }][] {
  if (removed.length === 0) return []
  const group = (block.heads / block.kvHeads) * block.size
  const runs = (width: number): Run[] => kept.map(head => [head * width, (head + 1) * width])
  const rows = (part: string, width: number): [string, { dimension: number; runs: Run[] }][] =>
    ['weight', 'bias'].map(kind => [`${block.name}.${part}.${kind}`, { dimension: 0, runs: runs(width) }])
  return [
    ...rows('attn_q', group),
    ...rows('attn_k', block.size),
    ...rows('attn_v', block.size),
    ...['attn_out', 'attn_output'].map((part): [string, { dimension: number; runs: Run[] }] => [
      `${block.name}.${part}.weight`,
      { dimension: 1, runs: runs(group) },
    ]),
  ]
}

function compare(
  { component, exercises }: Plan,
  before: NativeModel,
  after: NativeModel,
  onProgress: OnProgress,
): Promise<EncoderQuality | LanguageModelQuality> {
  const held = exercises.of('held-out', (done, total, name) => onProgress({ stage: 'compare', done, total, name }))
  return component === 'encoder' ? compareEncoders(before, after, held) : compareLanguageModels(before, after, held)
}

function summarize(
  { component, choices, contributions, measuredOn }: Plan,
  file: GgufFile,
  written: readonly WrittenTensor[],
  quality: ReadonlyMap<PrunableComponent, EncoderQuality | LanguageModelQuality>,
): PrunedComponent {
  const own = <T extends { name: string }>(tensors: Iterable<T>): T[] =>
    [...tensors].filter(({ name }) => componentOf(name) === component)
  const [before, after] = [own(file.tensors.values()), own(written)]
  const sum = <T>(all: readonly T[], of: (one: T) => number): number => all.reduce((total, one) => total + of(one), 0)
  const parameters = ({ shape }: { shape: readonly number[] }): number => elementsOf(shape)
  const found = quality.get(component)
  if (!found) throw new Error(`${component} was not compared`)
  return {
    name: component,
    headsBefore: sum(choices, ({ block }) => block.heads),
    headsAfter: sum(choices, choice => left(choice).heads),
    parametersBefore: sum(before, parameters),
    parametersAfter: sum(after, parameters),
    bytesBefore: sum(before, ({ bytes }) => bytes),
    bytesAfter: sum(after, ({ bytes }) => bytes),
    blocks: choices.map(choice => ({
      name: choice.block.name,
      headsBefore: choice.block.heads,
      headsAfter: left(choice).heads,
      kvHeadsBefore: choice.block.kvHeads,
      kvHeadsAfter: choice.kept.length,
      removed: choice.removed,
      contributions: contributions.get(choice.block.name) ?? [],
    })),
    measuredOn,
    quality: found,
  }
}
