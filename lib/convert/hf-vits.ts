import { basename, resolve } from 'node:path'
import { ModelFormatError, UnsupportedError } from '../errors.js'
import type { VoiceText } from '../text/voice-text.js'
import type { Converter } from './converter.js'
import { readJson, type Source } from './source.js'
import { foldedWeight, requireTensor, tensorOf } from './tensor.js'
import { setVoiceKeys, VitsTensors, vitsModules, type VitsFields } from './vits-tensors.js'

/*
 * transformers' VitsModel: MMS-TTS and others. config.json, vocab.json, tokenizer_config.json and safetensors.
 */

/** config.json, with the defaults of transformers' VitsConfig for missing fields. */
const DEFAULTS = {
  vocab_size: 38,
  hidden_size: 192,
  num_hidden_layers: 6,
  num_attention_heads: 2,
  window_size: 4 as number | null,
  ffn_dim: 768,
  ffn_kernel_size: 3,
  flow_size: 192,
  hidden_act: 'relu',
  layer_norm_eps: 1e-5,
  use_stochastic_duration_prediction: true,
  num_speakers: 1,
  speaker_embedding_size: 0,
  upsample_initial_channel: 512,
  upsample_rates: [8, 8, 2, 2],
  upsample_kernel_sizes: [16, 16, 4, 4],
  resblock_kernel_sizes: [3, 7, 11],
  resblock_dilation_sizes: [
    [1, 3, 5],
    [1, 3, 5],
    [1, 3, 5],
  ],
  leaky_relu_slope: 0.1,
  depth_separable_channels: 2,
  depth_separable_num_layers: 3,
  duration_predictor_flow_bins: 10,
  duration_predictor_tail_bound: 5,
  duration_predictor_kernel_size: 3,
  duration_predictor_num_flows: 4,
  duration_predictor_filter_channels: 256,
  prior_encoder_num_flows: 4,
  prior_encoder_num_wavenet_layers: 4,
  wavenet_kernel_size: 5,
  wavenet_dilation_rate: 1,
  speaking_rate: 1,
  noise_scale: 0.667,
  noise_scale_duration: 0.8,
  sampling_rate: 16000,
}
type HfConfig = typeof DEFAULTS

/** tokenizer_config.json, with transformers' defaults. */
const TOKENIZER = {
  add_blank: true,
  is_uroman: false,
  normalize: true,
  phonemize: true,
  language: null as string | null,
}

/** Merges the fields of a JSON object into the defaults. A field of another type is refused. */
function overDefaults<T extends object>(path: string, defaults: T, found: unknown): T {
  const merged = { ...defaults } as Record<string, unknown>
  for (const [field, fallback] of Object.entries(defaults) as [string, unknown][]) {
    const value = (found as Record<string, unknown>)[field]
    if (value === undefined || (value === null && fallback === null)) continue
    const nullable = field === 'window_size' || field === 'language'
    const fits =
      (nullable && (value === null || typeof value !== 'object')) ||
      (typeof value === typeof fallback && Array.isArray(value) === Array.isArray(fallback))
    if (!fits) {
      throw new ModelFormatError(
        `${path}: ${field}: expected ${Array.isArray(fallback) ? 'an array' : `a ${typeof fallback}`}, found ${JSON.stringify(value)}`,
        {
          path,
          name: field,
        },
      )
    }
    merged[field] = value
  }
  return merged as T
}

function fieldsOf(c: HfConfig): VitsFields {
  if (c.depth_separable_channels !== 2) {
    throw new UnsupportedError(`depth_separable_channels ${c.depth_separable_channels} is not implemented, only 2`, {
      name: 'depth_separable_channels',
    })
  }
  if (c.hidden_act !== 'relu' && c.hidden_act !== 'gelu') {
    throw new UnsupportedError(`hidden_act ${c.hidden_act} is not implemented, only relu and gelu`, {
      name: 'hidden_act',
    })
  }
  const stochastic = c.use_stochastic_duration_prediction
  return {
    sample_rate: c.sampling_rate,
    vocab_size: c.vocab_size,
    speaker_count: Math.max(c.num_speakers, 1),
    gin_channels: c.num_speakers > 1 ? c.speaker_embedding_size : 0,
    hidden_size: c.hidden_size,
    block_count: c.num_hidden_layers,
    head_count: c.num_attention_heads,
    ffn_size: c.ffn_dim,
    ffn_kernel: c.ffn_kernel_size,
    ffn_activation: c.hidden_act,
    window_size: c.window_size ?? 0,
    norm_epsilon: c.layer_norm_eps,
    duration: stochastic ? 'stochastic' : 'plain',
    duration_channels: stochastic ? c.hidden_size : c.duration_predictor_filter_channels,
    duration_kernel: c.duration_predictor_kernel_size,
    duration_layers: c.depth_separable_num_layers,
    duration_flows: Math.max(c.duration_predictor_num_flows - 1, 0),
    duration_bins: c.duration_predictor_flow_bins,
    duration_tail_bound: c.duration_predictor_tail_bound,
    flow_size: c.flow_size,
    flow_count: c.prior_encoder_num_flows,
    wavenet_hidden: c.hidden_size,
    wavenet_layers: c.prior_encoder_num_wavenet_layers,
    wavenet_kernel: c.wavenet_kernel_size,
    wavenet_dilation_rate: c.wavenet_dilation_rate,
    upsample_initial: c.upsample_initial_channel,
    upsample_rates: c.upsample_rates,
    upsample_kernels: c.upsample_kernel_sizes,
    resblock_type: 1,
    resblock_kernels: c.resblock_kernel_sizes,
    resblock_dilations: c.resblock_dilation_sizes,
    leaky_slope: c.leaky_relu_slope,
    noise_scale: c.noise_scale,
    noise_w: c.noise_scale_duration,
    length_scale: 1 / c.speaking_rate,
    default_speaker: 0,
  }
}

function jsonBeside(source: Source, name: string): { path: string; value: object } {
  const path = source.files.get(name)
  if (path === undefined) {
    throw new ModelFormatError(
      `${source.path}: expected ${name} beside the weights, found none; get the whole checkpoint`,
      { path: source.path, name },
    )
  }
  const value = readJson(path)
  if (typeof value !== 'object' || value === null) throw new ModelFormatError(`${path}: expected an object`, { path })
  return { path, value }
}

function textOf(source: Source): { text: VoiceText; language: string } {
  const vocabulary = jsonBeside(source, 'vocab.json')
  const symbols: Record<string, number[]> = {}
  for (const [symbol, id] of Object.entries(vocabulary.value)) {
    if (!Number.isInteger(id))
      throw new ModelFormatError(`${vocabulary.path}: ${symbol}: expected an id, found ${JSON.stringify(id)}`, {
        path: vocabulary.path,
        name: symbol,
      })
    symbols[symbol] = [id as number]
  }
  const config = jsonBeside(source, 'tokenizer_config.json')
  const t = overDefaults(config.path, TOKENIZER, config.value)
  const blank = t.add_blank ? [0] : [] // transformers puts the id 0 between symbols, whatever its meaning
  const text: VoiceText = {
    input: t.phonemize ? 'espeak' : 'characters',
    ...(t.phonemize && { espeakVoice: 'en-us' }), // the tokenizer always uses this language
    symbols,
    before: blank,
    between: blank,
    after: [],
    lowerCase: t.normalize,
    uroman: t.is_uroman,
    ...(t.language && { language: t.language }),
  }
  return { text, language: t.phonemize ? 'en-US' : (t.language ?? 'und') }
}

/** transformers' VitsModel: MMS-TTS and others. */
export const hfVits: Converter = {
  name: 'VitsModel',
  takes:
    'the folder of a transformers VitsModel, such as MMS-TTS, with model.safetensors, config.json, vocab.json and tokenizer_config.json',

  detect({ kind, config }) {
    return kind === 'safetensors' && (config as { model_type?: unknown } | undefined)?.model_type === 'vits'
  },

  convert(source, to, { type }) {
    const config = overDefaults(`${source.path}: config.json`, DEFAULTS, source.config)
    const fields = fieldsOf(config)
    const { text, language } = textOf(source)
    const found = source.config as { _name_or_path?: unknown }
    const folder = basename(resolve(source.path).replace(/[\\/][^\\/]*\.(safetensors|json)$/, ''))
    const name = typeof found._name_or_path === 'string' && found._name_or_path ? basename(found._name_or_path) : folder
    setVoiceKeys(to, fields, {
      name,
      description: 'A VITS voice',
      speakers: fields.speaker_count === 1 ? [name] : Array.from({ length: fields.speaker_count }, (_, i) => String(i)),
      language,
      text,
    })
    const { tensors: all } = source
    const tensors = new VitsTensors(to, type, fields)
    tensors.add(
      'voice.text.embd.weight',
      requireTensor(all, 'text_encoder.embed_tokens.weight', [fields.vocab_size, fields.hidden_size]),
      'matrix',
    )
    if (fields.gin_channels > 0)
      tensors.add('voice.speaker.weight', requireTensor(all, 'embed_speaker.weight'), 'table')
    const head = fields.hidden_size / fields.head_count
    for (let i = 0; i < fields.block_count; i++) {
      for (const key of ['rel_k', 'rel_v']) {
        const name = `text_encoder.encoder.layers.${i}.attention.emb_${key}`
        // A model without a window has no relative positions; zeros have the same effect.
        const tensor = config.window_size
          ? requireTensor(all, name, [1, 2 * config.window_size + 1, head])
          : tensorOf(name, [1, 1, head], new Float32Array(head))
        tensors.relative(`voice.text.blk.${i}.attn.${key}`, tensor)
      }
    }
    if (fields.duration === 'stochastic') {
      const affine = 'duration_predictor.flows.0'
      tensors.affine(requireTensor(all, `${affine}.translate`, [2, 1]), {
        logScale: requireTensor(all, `${affine}.log_scale`, [2, 1]),
      })
    }
    for (const module of vitsModules(fields)) {
      const bias = all.get(`${module.transformers}.bias`)
      tensors.module(module, { weight: foldedWeight(all, module.transformers), bias })
    }
    return Promise.resolve()
  },
}
