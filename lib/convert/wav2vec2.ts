import { basename } from 'node:path'
import type { Converter } from './converter.js'
import { ctcVocabulary } from './ctc-vocabulary.js'
import { Fields, isObject } from './fields.js'
import type { GgufWriter } from './gguf-writer.js'
import type { Source } from './source.js'
import { storageType, type TensorRole } from './storage.js'
import { convWeight, foldedWeight, requireTensor, tensorOf, type SourceTensor } from './tensor.js'
import type { WeightType } from './weight-types.js'

/*
 * Speech encoders of transformers: Wav2Vec2, HuBERT and Data2VecAudio, with a CTC head or without. docs/encoders.md
 * lists what is supported.
 */

/** model_type of config.json → the prefix that tensor names may have. */
const PREFIXES = { wav2vec2: 'wav2vec2.', hubert: 'hubert.', 'data2vec-audio': 'data2vec_audio.' } as const
type Kind = keyof typeof PREFIXES

const ACTIVATIONS = ['gelu', 'relu'] as const
const NORMS = ['group', 'layer'] as const
const SAMPLE_RATE = 16_000
/** The channels, kernels and strides of all published models, which are the defaults. */
const CONV_DIM = Array.from({ length: 7 }, () => 512)
const CONV_KERNEL = [10, 3, 3, 3, 3, 2, 2]
const CONV_STRIDE = [5, 2, 2, 2, 2, 2, 2]

export const wav2vec2: Converter = {
  name: 'Speech encoder',
  takes:
    'a safetensors checkpoint of a transformers Wav2Vec2, HuBERT or Data2VecAudio model, with a CTC head or without',
  detect: ({ kind, config }) =>
    kind === 'safetensors' &&
    isObject(config) &&
    typeof config.model_type === 'string' &&
    Object.hasOwn(PREFIXES, config.model_type),
  convert: (source, to, { type }) => Promise.resolve(new Conversion(source, to, type).run()),
}

/** The conversion of one checkpoint. */
class Conversion {
  readonly #config: Fields
  readonly #kind: Kind
  readonly #prefix: string

  constructor(
    private readonly source: Source,
    private readonly to: GgufWriter,
    private readonly type: WeightType,
  ) {
    this.#config = Fields.of('config.json', source.config)
    this.#kind = this.#config.oneOf('model_type', Object.keys(PREFIXES) as Kind[], 'wav2vec2')
    const prefix = PREFIXES[this.#kind]
    this.#prefix = [...source.tensors.keys()].some(name => name.startsWith(prefix)) ? prefix : ''
  }

  run(): void {
    this.#refuse()
    this.to.set('general.architecture', 'moss-speech').set('general.name', basename(this.source.path))
    const features = this.#frontend()
    const size = this.#encoder(features)
    this.#head(size)
  }

  /** Refuses settings that would change the result and are not supported. */
  #refuse(): void {
    const config = this.#config
    for (const flag of ['add_adapter', 'conv_pos_batch_norm'] as const) {
      if (config.boolean(flag, false)) config.unsupported(flag, 'such layers are not imported')
    }
    if (config.get('adapter_attn_dim') !== undefined) {
      config.unsupported('adapter_attn_dim', 'adapters of languages are not imported; merge one into the model first')
    }
  }

  /** Returns the number of features. */
  #frontend(): number {
    const config = this.#config
    const data2vec = this.#kind === 'data2vec-audio'
    const channels = config.integers('conv_dim', CONV_DIM)
    const kernels = config.integers('conv_kernel', CONV_KERNEL)
    const norm = data2vec ? 'layer' : config.oneOf('feat_extract_norm', NORMS, 'group')
    const bias = config.boolean('conv_bias', false)
    const processor = this.#preprocessor()
    this.#keys('frontend', {
      sample_rate: SAMPLE_RATE,
      channels,
      kernel_sizes: kernels,
      strides: config.integers('conv_stride', CONV_STRIDE),
      norm,
      causal: false,
      normalize: processor.boolean('do_normalize', true),
      activation: config.oneOf('feat_extract_activation', ACTIVATIONS, 'gelu'),
      tail_padding: 0,
    })
    let inputs = 1
    for (const [i, outputs] of channels.entries()) {
      const from = `feature_extractor.conv_layers.${i}`
      this.#conv(`frontend.conv.${i}`, `${from}.conv`, [outputs, inputs, kernels[i] ?? 1], bias)
      if (norm === 'layer' || i === 0) this.#norm(`frontend.norm.${i}`, `${from}.layer_norm`, outputs)
      inputs = outputs
    }
    return inputs
  }

  #preprocessor(): Fields {
    const processor = Fields.read(this.source.files, 'preprocessor_config.json')
    if (processor.integer('sampling_rate', SAMPLE_RATE) !== SAMPLE_RATE) {
      processor.unsupported('sampling_rate', `encoders for ${SAMPLE_RATE} Hz are imported`)
    }
    if (processor.integer('feature_size', 1) !== 1)
      processor.unsupported('feature_size', 'encoders of a waveform are imported')
    return processor
  }

  /** Returns the size of the hidden states. */
  #encoder(features: number): number {
    const config = this.#config
    const data2vec = this.#kind === 'data2vec-audio'
    const size = config.integer('hidden_size', 768)
    const inner = config.integer('intermediate_size', 3072)
    const blocks = config.integer('num_hidden_layers', 12)
    const kernel = data2vec
      ? config.integer('conv_pos_kernel_size', 19)
      : config.integer('num_conv_pos_embeddings', 128)
    const groups = config.integer('num_conv_pos_embedding_groups', 16)
    const stack = data2vec ? config.integer('num_conv_pos_embeddings', 5) : 0
    const featureNorm = this.#kind !== 'hubert' || config.boolean('feat_proj_layer_norm', true)
    this.#keys('encoder', {
      embedding_length: size,
      feed_forward_length: inner,
      block_count: blocks,
      head_count: config.integer('num_attention_heads', 12),
      layer_norm_epsilon: config.number('layer_norm_eps', 1e-5),
      pos_conv_kernel: kernel,
      pos_conv_groups: groups,
      pos_conv_causal: false,
      pos_conv_stack: stack,
      position_activation: config.oneOf('feat_extract_activation', ACTIVATIONS, 'gelu'),
      feature_norm: featureNorm,
      norm_first: !data2vec && config.boolean('do_stable_layer_norm', false),
      activation: config.oneOf('hidden_act', ACTIVATIONS, 'gelu'),
      chunk_size: 0,
      left_context: 0,
    })
    if (featureNorm) this.#norm('encoder.proj_norm', 'feature_projection.layer_norm', features)
    this.#linear('encoder.proj', 'feature_projection.projection', features, size)
    const position = [size, Math.floor(size / groups), kernel]
    if (stack === 0) this.#conv('encoder.pos_conv', 'encoder.pos_conv_embed.conv', position, true)
    for (let i = 0; i < stack; i++) {
      this.#conv(`encoder.pos_conv.${i}`, `encoder.pos_conv_embed.layers.${i}.conv`, position, true)
    }
    this.#norm('encoder.norm', 'encoder.layer_norm', size)
    for (let i = 0; i < blocks; i++) {
      const [to, from] = [`encoder.blk.${i}`, `encoder.layers.${i}`]
      this.#norm(`${to}.attn_norm`, `${from}.layer_norm`, size)
      for (const part of ['q', 'k', 'v', 'out']) {
        this.#linear(`${to}.attn_${part}`, `${from}.attention.${part}_proj`, size, size)
      }
      this.#norm(`${to}.ffn_norm`, `${from}.final_layer_norm`, size)
      this.#linear(`${to}.ffn_up`, `${from}.feed_forward.intermediate_dense`, size, inner)
      this.#linear(`${to}.ffn_down`, `${from}.feed_forward.output_dense`, inner, size)
    }
    return size
  }

  /** Converts the CTC head, if there is one. */
  #head(size: number): void {
    const [weight, bias] = ['lm_head.weight', 'lm_head.bias'].map(name => this.source.tensors.get(name))
    if (!weight || !bias) return
    const count = this.#config.integer('vocab_size', 32)
    requireTensor(this.source.tensors, 'lm_head.weight', [count, size])
    requireTensor(this.source.tensors, 'lm_head.bias', [count])
    const vocabulary = ctcVocabulary(this.source.files, count, this.#config.integer('pad_token_id', 0))
    this.#put('encoder.ctc.weight', 'matrix', rowsOf(weight, vocabulary.rows))
    this.#put('encoder.ctc.bias', 'table', rowsOf(bias, vocabulary.rows))
    this.to.set('moss-speech.units', vocabulary.units)
    this.#keys('ctc', {
      word_delimiter: vocabulary.wordDelimiter,
      separator: vocabulary.separator,
      lower_case: vocabulary.lowerCase,
      ...(vocabulary.special.length > 0 && { special: vocabulary.special }),
    })
  }

  #keys(component: string, fields: Record<string, number | string | boolean | readonly number[]>): void {
    for (const [field, value] of Object.entries(fields)) {
      // Integers are also read as numbers, so a whole value of a float key, such as an epsilon of 0, is accepted.
      this.to.set(`moss-speech.${component}.${field}`, value)
    }
  }

  #put(name: string, role: TensorRole, tensor: SourceTensor): void {
    this.to.add(name, tensor, storageType(role, tensor.shape, this.type))
  }

  #get(name: string, shape: readonly number[]): SourceTensor {
    return requireTensor(this.source.tensors, this.#prefix + name, shape)
  }

  #linear(name: string, from: string, inputs: number, outputs: number): void {
    this.#put(`${name}.weight`, 'matrix', this.#get(`${from}.weight`, [outputs, inputs]))
    this.#put(`${name}.bias`, 'table', this.#get(`${from}.bias`, [outputs]))
  }

  #norm(name: string, from: string, size: number): void {
    for (const part of ['weight', 'bias']) this.#put(`${name}.${part}`, 'table', this.#get(`${from}.${part}`, [size]))
  }

  /**
   * Convolutions without a bias get one of zeros. Those with whole blocks of input channels, which the INT8 kernels
   * support, are robust against INT8 rounding.
   */
  #conv(name: string, from: string, shape: readonly number[], bias: boolean): void {
    const weight = foldedWeight(this.source.tensors, this.#prefix + from)
    requireTensor(new Map([[weight.name, weight]]), weight.name, shape)
    this.#put(`${name}.weight`, (shape[1] ?? 1) % 32 === 0 ? 'robust-conv' : 'conv', convWeight(weight))
    const outputs = shape[0] ?? 0
    const values = bias ? this.#get(`${from}.bias`, [outputs]) : tensorOf(from, [outputs], new Float32Array(outputs))
    this.#put(`${name}.bias`, 'table', values)
  }
}

/** Reorders the rows of a matrix, or the elements of a vector. */
function rowsOf(tensor: SourceTensor, rows: readonly number[]): SourceTensor {
  const width = tensor.shape[1] ?? 1
  return tensorOf(tensor.name, tensor.shape, async () => {
    const from = await tensor.read()
    const to = new Float32Array(from.length)
    for (const [i, row] of rows.entries()) to.set(from.subarray(row * width, (row + 1) * width), i * width)
    return to
  })
}
