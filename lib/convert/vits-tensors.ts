import { ModelFormatError } from '../errors.js'
import type { VoiceText } from '../text/voice-text.js'
import type { GgufWriter } from './gguf-writer.js'
import { storageType, type TensorRole } from './storage.js'
import { convWeight, reshape, shapeText, tensorOf, transposedConvWeight, type SourceTensor } from './tensor.js'
import type { WeightType } from './weight-types.js'

/*
 * What the conversion of all VITS voices has in common: the hyperparameters (native/model/vits_voice_config.h), and the
 * mapping from modules of a checkpoint to our tensors. A module has two names: that of the original code, which Piper
 * uses, too, and that of transformers.
 */

/** `moss-speech.voice.*`, except for the names and the text rules. */
export interface VitsFields {
  sample_rate: number
  vocab_size: number
  speaker_count: number
  /** 0 for a single speaker without an embedding. */
  gin_channels: number
  hidden_size: number
  block_count: number
  head_count: number
  ffn_size: number
  ffn_kernel: number
  ffn_activation: 'relu' | 'gelu'
  window_size: number
  norm_epsilon: number
  duration: 'stochastic' | 'plain'
  duration_channels: number
  duration_kernel: number
  /** This and the next three fields are for stochastic durations. */
  duration_layers: number
  duration_flows: number
  duration_bins: number
  duration_tail_bound: number
  flow_size: number
  flow_count: number
  wavenet_hidden: number
  wavenet_layers: number
  wavenet_kernel: number
  wavenet_dilation_rate: number
  upsample_initial: number
  upsample_rates: number[]
  upsample_kernels: number[]
  resblock_type: 1 | 2
  resblock_kernels: number[]
  resblock_dilations: number[][]
  leaky_slope: number
  noise_scale: number
  noise_w: number
  length_scale: number
  default_speaker: number
}

/** Other information about a voice. */
export interface VitsInfo {
  name: string
  description: string
  /** One name for each speaker. */
  speakers: string[]
  /** BCP 47. */
  language: string
  text: VoiceText
}

/**
 * The kind of a module, which says how its tensors are read: a convolution (a missing bias is zero), one without a
 * bias, a linear layer …
 */
export type ModuleKind = 'conv' | 'conv-only' | 'transposed' | 'linear' | 'norm'

/** A module: our name for it, and its names in checkpoints. */
export interface VitsModule {
  readonly kind: ModuleKind
  readonly to: string
  readonly original: string
  readonly transformers: string
}

/** The tensors of a module in PyTorch's layout. */
export interface ModuleTensors {
  weight: SourceTensor
  bias: SourceTensor | undefined
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

/**
 * All modules with weights and biases. The converters handle speaker and text embeddings, relative positions and the
 * affine flow themselves.
 */
export function* vitsModules(f: VitsFields): Generator<VitsModule> {
  const conditioned = f.gin_channels > 0
  const module = (kind: ModuleKind, to: string, original: string, transformers: string): VitsModule => {
    return { kind, to: `voice.${to}`, original, transformers }
  }
  for (const i of range(f.block_count)) {
    const [to, original, hf] = [`text.blk.${i}`, 'enc_p.encoder', `text_encoder.encoder.layers.${i}`]
    for (const key of ['q', 'k', 'v']) {
      yield module(
        'conv',
        `${to}.attn.${key}`,
        `${original}.attn_layers.${i}.conv_${key}`,
        `${hf}.attention.${key}_proj`,
      )
    }
    yield module('conv', `${to}.attn.o`, `${original}.attn_layers.${i}.conv_o`, `${hf}.attention.out_proj`)
    yield module('norm', `${to}.attn_norm`, `${original}.norm_layers_1.${i}`, `${hf}.layer_norm`)
    yield module('conv', `${to}.ffn_in`, `${original}.ffn_layers.${i}.conv_1`, `${hf}.feed_forward.conv_1`)
    yield module('conv', `${to}.ffn_out`, `${original}.ffn_layers.${i}.conv_2`, `${hf}.feed_forward.conv_2`)
    yield module('norm', `${to}.ffn_norm`, `${original}.norm_layers_2.${i}`, `${hf}.final_layer_norm`)
  }
  yield module('conv', 'text.proj', 'enc_p.proj', 'text_encoder.project')

  if (conditioned) yield module('linear', 'duration.cond', 'dp.cond', 'duration_predictor.cond')
  if (f.duration === 'plain') {
    for (const i of [0, 1]) {
      yield module('conv', `duration.conv.${i}.conv`, `dp.conv_${i + 1}`, `duration_predictor.conv_${i + 1}`)
      yield module('norm', `duration.conv.${i}.norm`, `dp.norm_${i + 1}`, `duration_predictor.norm_${i + 1}`)
    }
    yield module('conv', 'duration.proj', 'dp.proj', 'duration_predictor.proj')
  } else {
    yield module('conv', 'duration.pre', 'dp.pre', 'duration_predictor.conv_pre')
    yield* dilatedStack(f, 'duration.stack', 'dp.convs', 'duration_predictor.conv_dds')
    yield module('conv', 'duration.proj', 'dp.proj', 'duration_predictor.conv_proj')
    // The inverse begins with the last flow and leaves out the first spline. The original code counts the flips between
    // them as flows.
    for (const i of range(f.duration_flows)) {
      const at = f.duration_flows - i
      const [to, original, hf] = [`duration.flow.${i}`, `dp.flows.${2 * at + 1}`, `duration_predictor.flows.${at + 1}`]
      yield module('conv', `${to}.pre`, `${original}.pre`, `${hf}.conv_pre`)
      yield* dilatedStack(f, `${to}.stack`, `${original}.convs`, `${hf}.conv_dds`)
      yield module('conv', `${to}.proj`, `${original}.proj`, `${hf}.conv_proj`)
    }
  }

  for (const i of range(f.flow_count)) {
    const [to, original, hf] = [`flow.layers.${i}`, `flow.flows.${2 * i}`, `flow.flows.${i}`]
    yield module('conv', `${to}.pre`, `${original}.pre`, `${hf}.conv_pre`)
    if (conditioned) yield module('linear', `${to}.wn.cond`, `${original}.enc.cond_layer`, `${hf}.wavenet.cond_layer`)
    for (const j of range(f.wavenet_layers)) {
      yield module('conv', `${to}.wn.inp.${j}`, `${original}.enc.in_layers.${j}`, `${hf}.wavenet.in_layers.${j}`)
      yield module(
        'conv',
        `${to}.wn.rs.${j}`,
        `${original}.enc.res_skip_layers.${j}`,
        `${hf}.wavenet.res_skip_layers.${j}`,
      )
    }
    yield module('conv', `${to}.post`, `${original}.post`, `${hf}.conv_post`)
  }

  yield module('conv', 'gen.pre', 'dec.conv_pre', 'decoder.conv_pre')
  if (conditioned) yield module('linear', 'gen.cond', 'dec.cond', 'decoder.cond')
  for (const i of range(f.upsample_rates.length)) {
    yield module('transposed', `gen.up.${i}`, `dec.ups.${i}`, `decoder.upsampler.${i}`)
    for (const k of range(f.resblock_kernels.length)) {
      const block = i * f.resblock_kernels.length + k
      const [to, original, hf] = [`gen.res.${block}`, `dec.resblocks.${block}`, `decoder.resblocks.${block}`]
      for (const j of range(f.resblock_dilations[k]?.length ?? 0)) {
        const first = f.resblock_type === 1 ? 'convs1' : 'convs'
        yield module('conv', `${to}.conv1.${j}`, `${original}.${first}.${j}`, `${hf}.convs1.${j}`)
        if (f.resblock_type === 1)
          yield module('conv', `${to}.conv2.${j}`, `${original}.convs2.${j}`, `${hf}.convs2.${j}`)
      }
    }
  }
  yield module('conv-only', 'gen.post', 'dec.conv_post', 'decoder.conv_post')
}

function* dilatedStack(f: VitsFields, to: string, original: string, transformers: string): Generator<VitsModule> {
  for (const i of range(f.duration_layers)) {
    for (const [kind, ours, theirs, hf] of [
      ['conv', 'sep', 'convs_sep', 'convs_dilated'],
      ['norm', 'sep_norm', 'norms_1', 'norms_1'],
      ['conv', 'point', 'convs_1x1', 'convs_pointwise'],
      ['norm', 'point_norm', 'norms_2', 'norms_2'],
    ] as const) {
      yield {
        kind,
        to: `voice.${to}.${ours}.${i}`,
        original: `${original}.${theirs}.${i}`,
        transformers: `${transformers}.${hf}.${i}`,
      }
    }
  }
}

/** Sets the keys of a voice. */
export function setVoiceKeys(to: GgufWriter, fields: VitsFields, info: VitsInfo): void {
  to.set('general.architecture', 'moss-speech')
  to.set('general.name', info.name)
  to.set('general.description', info.description)
  const { resblock_dilations: dilations, ...rest } = fields
  const [first] = dilations
  if (dilations.some(d => d.length !== first?.length)) {
    throw new ModelFormatError(
      `resblock_dilations: expected equally many for each kernel, found ${JSON.stringify(dilations)}`,
      {
        name: 'resblock_dilations',
      },
    )
  }
  const floats = ['norm_epsilon', 'duration_tail_bound', 'leaky_slope', 'noise_scale', 'noise_w', 'length_scale']
  const stochastic = ['duration_layers', 'duration_flows', 'duration_bins', 'duration_tail_bound']
  for (const [field, value] of Object.entries({ ...rest, resblock_dilations: dilations.flat() })) {
    if (fields.duration === 'plain' && stochastic.includes(field)) continue
    to.set(
      `moss-speech.voice.${field}`,
      value,
      floats.includes(field) ? 'f32' : typeof value === 'string' ? 'string' : 'u32',
    )
  }
  to.set('moss-speech.voice.speakers', info.speakers, 'string')
  to.set('moss-speech.voice.language', info.language)
  to.set('moss-speech.voice.text', JSON.stringify(info.text))
}

/** Declares the tensors of a voice in our layouts. */
export class VitsTensors {
  constructor(
    private readonly to: GgufWriter,
    private readonly type: WeightType,
    private readonly fields: VitsFields,
  ) {}

  add(name: string, tensor: SourceTensor, role: TensorRole): void {
    this.to.add(name, tensor, storageType(role, tensor.shape, this.#typeOf(name, role)))
  }

  /**
   * Durations are rounded up to frames, so that small errors lengthen or shorten sounds: the duration predictor needs
   * at least F16, and the text embedding more than INT8. In the last residual blocks, at the full rate, INT8 is audible
   * as noise (docs/performance.md).
   */
  #typeOf(name: string, role: TensorRole): WeightType {
    if (this.type === 'f32' || this.type === 'f16') return this.type
    if (role === 'conv') return name.startsWith('voice.text.') ? 'bf16' : 'f16'
    return name === 'voice.text.embd.weight' || this.#isLastStage(name) ? 'bf16' : this.type
  }

  #isLastStage(name: string): boolean {
    const { upsample_rates: rates, resblock_kernels: kernels } = this.fields
    const block = /^voice\.gen\.res\.(\d+)\./.exec(name)?.[1]
    return block !== undefined && Number(block) >= (rates.length - 1) * kernels.length
  }

  module({ kind, to }: VitsModule, { weight, bias }: ModuleTensors): void {
    if (kind === 'norm') {
      this.add(`${to}.weight`, weight, 'table')
    } else if (kind === 'linear') {
      this.add(`${to}.weight`, reshape(weight, weight.shape.slice(0, 2)), 'matrix')
    } else {
      const layout = kind === 'transposed' ? transposedConvWeight : convWeight
      // Linear layers are stored as convolutions with a kernel size of 1.
      this.add(
        `${to}.weight`,
        layout(weight.shape.length === 2 ? reshape(weight, [...weight.shape, 1]) : weight),
        /^voice\.(flow|gen)\./.test(to) ? 'robust-conv' : 'conv',
      )
    }
    if (kind === 'conv-only') {
      if (bias)
        throw new ModelFormatError(`${bias.name}: expected no bias, found shape ${shapeText(bias.shape)}`, {
          name: bias.name,
        })
      return
    }
    const outputs = weight.shape[kind === 'transposed' ? 1 : 0] ?? 0
    this.add(`${to}.bias`, bias ?? tensorOf(`${to}.bias`, [outputs], new Float32Array(outputs)), 'table')
  }

  /** The relative positions of a block: [1, 2 w + 1, head] → [2 w + 1, head]. */
  relative(name: string, tensor: SourceTensor): void {
    this.add(name, reshape(tensor, tensor.shape.slice(-2)), 'table')
  }

  /** The shift [2, 1] of the affine flow, and its factor: `scale`, or e^-log_scale. */
  affine(shift: SourceTensor, scale: { scale: SourceTensor } | { logScale: SourceTensor }): void {
    this.add('voice.duration.affine.shift', reshape(shift, [2]), 'table')
    const factor =
      'scale' in scale
        ? reshape(scale.scale, [2])
        : tensorOf('scale', [2], async () => (await scale.logScale.read()).map(value => Math.exp(-value)))
    this.add('voice.duration.affine.scale', factor, 'table')
  }
}
