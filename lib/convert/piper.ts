import { basename } from 'node:path'
import { ModelFormatError } from '../errors.js'
import { isPhonemeMap, type VoiceText } from '../text/voice-text.js'
import type { Converter } from './converter.js'
import type { OnnxModel, OnnxNode } from './onnx.js'
import { requireTensor, shapeText, type SourceTensor } from './tensor.js'
import { setVoiceKeys, VitsTensors, vitsModules, type ModuleTensors, type VitsFields } from './vits-tensors.js'

/*
 * Piper voices: an ONNX graph that torch exported from VITS, and NAME.onnx.json. Weights that the export folded (weight
 * norm) have numbers as names, and the embedding sometimes has the name of another tensor. Therefore the role of each
 * tensor is found from the graph.
 */

/** The config of voices of both Piper generations. Missing fields have Piper's defaults. */
interface PiperConfig {
  audio: { sample_rate: number }
  espeak?: { voice?: string }
  phoneme_type?: string
  phoneme_id_map: Record<string, number[]>
  vowel_clusters?: string[][]
  inference?: { noise_scale?: number; length_scale?: number; noise_w?: number }
  num_speakers?: number
  speaker_id_map?: Record<string, number>
  default_speaker_id?: number
  language?: { code?: string; name_english?: string }
  dataset?: string
}

/** A convolution of the graph. */
interface Convolution extends ModuleTensors {
  node: OnnxNode
}

const TAIL_BOUND = 5 // of the splines in the original code; a constant in the graph
const LEAKY_SLOPE = 0.1
const NORM_EPSILON = 1e-5

/** The graph's convolutions by the names of their modules (`dec.ups.0`), and its embeddings. */
class PiperGraph {
  readonly #convolutions = new Map<string, Convolution>()

  constructor(readonly onnx: OnnxModel) {
    for (const node of onnx.nodes) {
      if (node.op !== 'Conv' && node.op !== 'ConvTranspose') continue
      const [, weightName = '', biasName = ''] = node.inputs
      const weight = onnx.tensors.get(weightName)
      if (!weight) continue
      const found = { node, weight, bias: onnx.tensors.get(biasName) }
      for (const name of [
        weightName.replace(/\.weight$/, ''),
        biasName.replace(/\.bias$/, ''),
        node.name
          .replace(/^\//, '')
          .replace(/\/[^/]*$/, '')
          .replaceAll('/', '.'), // `/dec/ups.0/ConvTranspose`
      ]) {
        if (name !== '' && !this.#convolutions.has(name)) this.#convolutions.set(name, found)
      }
    }
  }

  has(module: string): boolean {
    return this.#convolutions.has(module)
  }

  convolution(module: string): Convolution {
    const found = this.#convolutions.get(module)
    if (!found) {
      throw new ModelFormatError(
        `${this.onnx.path}: expected a convolution ${module}, found none; it is not a VITS model exported by Piper`,
        {
          path: this.onnx.path,
          name: module,
        },
      )
    }
    return found
  }

  tensor(name: string, shape?: readonly number[]): SourceTensor {
    return requireTensor(this.onnx.tensors, name, shape)
  }

  /** The embedding table that is indexed by an input of the graph. */
  embedding(input: string, name: string): SourceTensor {
    const table = this.onnx.tensors.get(name)
    if (table) return table
    const lookup = this.onnx.nodes.find(node => node.op === 'Gather' && node.inputs[1] === input)
    return this.tensor(lookup?.inputs[0] ?? name)
  }

  /** The number of modules `dec.ups.0`, `dec.ups.1` …. */
  count(module: (index: number) => string): number {
    let index = 0
    while (this.has(module(index))) index++
    return index
  }

  #after(input: string, op: string): OnnxNode | undefined {
    return this.onnx.nodes.find(node => node.op === op && node.inputs.includes(input))
  }

  /** The factor of the affine flow, which the export folds into (z - m) · scale. */
  affineScale(shift: string): { scale: SourceTensor } | { logScale: SourceTensor } {
    const logScale = this.onnx.tensors.get('dp.flows.0.logs')
    if (logScale) return { logScale }
    const difference = this.#after(shift, 'Sub')?.outputs[0] ?? ''
    const product = this.#after(difference, 'Mul')
    const factor = product?.inputs.find(name => name !== difference && this.onnx.tensors.has(name))
    return { scale: this.tensor(factor ?? 'dp.flows.0.logs', [2, 1]) }
  }
}

const ints = ({ node }: Convolution, attribute: string): number => {
  const values = node.attributes.get(attribute)
  const first = Array.isArray(values) ? (values[0] as unknown) : undefined
  if (typeof first === 'number') return first
  throw new ModelFormatError(`${node.name}: expected ${attribute}, found none`, {
    name: node.name,
    expected: attribute,
  })
}

const size = (tensor: SourceTensor, dimension: number): number => {
  const found = tensor.shape.at(dimension)
  if (found !== undefined) return found
  throw new ModelFormatError(
    `${tensor.name}: expected ${dimension + 1} dimensions or more, found shape ${shapeText(tensor.shape)}`,
    {
      name: tensor.name,
    },
  )
}

function readFields(graph: PiperGraph, config: PiperConfig): VitsFields {
  const relative = graph.tensor('enc_p.encoder.attn_layers.0.emb_rel_k', [1, -1, -1])
  const embedding = graph.embedding('input', 'enc_p.emb.weight')
  const hidden = size(embedding, 1)
  const ffn = graph.convolution('enc_p.encoder.ffn_layers.0.conv_1').weight
  const ups = graph.count(i => `dec.ups.${i}`)
  const blocks = graph.count(i => resblock(graph, i, 0))
  const kernels = ups > 0 ? blocks / ups : 0
  if (!Number.isInteger(kernels) || kernels === 0) {
    throw new ModelFormatError(`dec.resblocks: expected as many for each of ${ups} up-samplings, found ${blocks}`, {
      name: 'dec.resblocks',
    })
  }
  const upsamplers = Array.from({ length: ups }, (_, i) => graph.convolution(`dec.ups.${i}`))
  const inLayer = graph.convolution('flow.flows.0.enc.in_layers.0')
  const speakers = Math.max(config.num_speakers ?? 1, 1)
  const stochastic = !graph.has('dp.conv_1')
  const duration = stochastic ? graph.convolution('dp.convs.convs_sep.0') : graph.convolution('dp.conv_1')
  const flows = stochastic ? graph.count(i => `dp.flows.${2 * i + 3}.pre`) : 0
  return {
    sample_rate: config.audio.sample_rate,
    vocab_size: size(embedding, 0),
    speaker_count: speakers,
    gin_channels: speakers > 1 ? size(graph.embedding('sid', 'emb_g.weight'), 1) : 0,
    hidden_size: hidden,
    block_count: graph.count(i => `enc_p.encoder.attn_layers.${i}.conv_q`),
    head_count: hidden / size(relative, 2),
    ffn_size: size(ffn, 0),
    ffn_kernel: size(ffn, 2),
    ffn_activation: 'relu',
    window_size: (size(relative, 1) - 1) / 2,
    norm_epsilon: NORM_EPSILON,
    duration: stochastic ? 'stochastic' : 'plain',
    duration_channels: size(duration.weight, 0),
    duration_kernel: size(duration.weight, 2),
    duration_layers: stochastic ? graph.count(i => `dp.convs.convs_sep.${i}`) : 0,
    duration_flows: flows,
    duration_bins: flows > 0 ? (size(graph.convolution('dp.flows.3.proj').weight, 0) + 1) / 3 : 1,
    duration_tail_bound: TAIL_BOUND,
    flow_size: size(graph.convolution('enc_p.proj').weight, 0) / 2,
    flow_count: graph.count(i => `flow.flows.${2 * i}.pre`),
    wavenet_hidden: size(inLayer.weight, 1),
    wavenet_layers: graph.count(i => `flow.flows.0.enc.in_layers.${i}`),
    wavenet_kernel: size(inLayer.weight, 2),
    wavenet_dilation_rate: graph.has('flow.flows.0.enc.in_layers.1')
      ? ints(graph.convolution('flow.flows.0.enc.in_layers.1'), 'dilations')
      : 1,
    upsample_initial: size(graph.convolution('dec.conv_pre').weight, 0),
    upsample_rates: upsamplers.map(up => ints(up, 'strides')),
    upsample_kernels: upsamplers.map(up => size(up.weight, 2)),
    resblock_type: graph.has('dec.resblocks.0.convs1.0') ? 1 : 2,
    resblock_kernels: Array.from({ length: kernels }, (_, k) =>
      size(graph.convolution(resblock(graph, k, 0)).weight, 2),
    ),
    resblock_dilations: Array.from({ length: kernels }, (_, k) =>
      Array.from({ length: graph.count(j => resblock(graph, k, j)) }, (__, j) =>
        ints(graph.convolution(resblock(graph, k, j)), 'dilations'),
      ),
    ),
    leaky_slope: LEAKY_SLOPE,
    noise_scale: config.inference?.noise_scale ?? 0.667,
    noise_w: config.inference?.noise_w ?? 0.8,
    length_scale: config.inference?.length_scale ?? 1,
    default_speaker: config.default_speaker_id ?? 0,
  }
}

/** The type of the residual blocks: type 1 has two lists of convolutions in each block, type 2 has one. */
function resblock(graph: PiperGraph, block: number, index: number): string {
  const first = `dec.resblocks.${block}.convs1.${index}`
  return graph.has(first) ? first : `dec.resblocks.${block}.convs.${index}`
}

function checkedConfig(path: string, config: unknown): PiperConfig {
  const fail = (field: string, expected: string): never => {
    throw new ModelFormatError(`${path}.json: ${field}: expected ${expected}`, { path, name: field, expected })
  }
  const found = (
    typeof config === 'object' && config !== null ? config : fail('the file', 'an object beside the .onnx')
  ) as PiperConfig
  if (!Number.isInteger((found.audio as { sample_rate?: unknown } | undefined)?.sample_rate))
    fail('audio.sample_rate', 'a number in Hz')
  if (!isPhonemeMap(found.phoneme_id_map)) fail('phoneme_id_map', 'symbols with lists of ids')
  return found
}

/** `{ bob: 1 }` → names in the order of their ids. */
function speakerNames(config: PiperConfig, name: string, count: number): string[] {
  if (count === 1) return [config.dataset ?? name]
  const names = Array.from({ length: count }, (_, id) => String(id))
  for (const [speaker, id] of Object.entries(config.speaker_id_map ?? {})) if (id in names) names[id] = speaker
  return names
}

function textOf(config: PiperConfig): VoiceText {
  const symbols = config.phoneme_id_map
  const [bos, eos, pad] = [symbols['^'] ?? [], symbols.$ ?? [], symbols._ ?? []]
  const input = config.phoneme_type ?? 'espeak'
  return {
    input,
    ...(config.espeak?.voice && { espeakVoice: config.espeak.voice }),
    symbols,
    ...(config.vowel_clusters && { clusters: config.vowel_clusters.map(cluster => cluster.join('')) }),
    before: input === 'pinyin' ? bos : [...bos, ...pad],
    between: pad,
    after: eos,
  }
}

/** An `.onnx` file with its `.onnx.json`. */
export const piper: Converter = {
  name: 'Piper voice',
  takes: 'an .onnx file with its .onnx.json beside it',

  detect({ kind, onnx, config }) {
    const voice = typeof config === 'object' && config !== null && 'phoneme_id_map' in config
    return kind === 'onnx' && (voice || (onnx?.inputs.some(({ name }) => name === 'scales') ?? false))
  },

  convert(source, to, { type }) {
    const { onnx } = source
    if (!onnx) throw new ModelFormatError(`${source.path}: expected an ONNX graph`, { path: source.path })
    const config = checkedConfig(onnx.path, source.config)
    const graph = new PiperGraph(onnx)
    const fields = readFields(graph, config)
    const name = basename(onnx.path, '.onnx')
    setVoiceKeys(to, fields, {
      name,
      description: `A Piper voice${config.language?.name_english ? `, ${config.language.name_english}` : ''}`,
      speakers: speakerNames(config, name, fields.speaker_count),
      language: (config.language?.code ?? config.espeak?.voice ?? 'und').replace('_', '-'),
      text: textOf(config),
    })
    const tensors = new VitsTensors(to, type, fields)
    tensors.add('voice.text.embd.weight', graph.embedding('input', 'enc_p.emb.weight'), 'matrix')
    if (fields.gin_channels > 0) tensors.add('voice.speaker.weight', graph.embedding('sid', 'emb_g.weight'), 'table')
    for (let i = 0; i < fields.block_count; i++) {
      for (const key of ['rel_k', 'rel_v']) {
        tensors.relative(
          `voice.text.blk.${i}.attn.${key}`,
          graph.tensor(`enc_p.encoder.attn_layers.${i}.emb_${key}`, [1, -1, -1]),
        )
      }
    }
    if (fields.duration === 'stochastic')
      tensors.affine(graph.tensor('dp.flows.0.m', [2, 1]), graph.affineScale('dp.flows.0.m'))
    for (const module of vitsModules(fields)) {
      tensors.module(
        module,
        module.kind === 'norm'
          ? { weight: graph.tensor(`${module.original}.gamma`), bias: graph.tensor(`${module.original}.beta`) }
          : graph.convolution(module.original),
      )
    }
    return Promise.resolve()
  },
}
