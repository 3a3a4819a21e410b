import { basename } from 'node:path'
import { ModelFormatError, UnsupportedError } from '../errors.js'
import type { ConvertOptions, Converter } from './converter.js'
import type { GgufWriter } from './gguf-writer.js'
import { writeTokenizer } from './lm-tokenizer.js'
import { readJson, type Source } from './source.js'
import { storageType } from './storage.js'
import { permute, requireTensor, reshape, tensorOf, type SourceTensor } from './tensor.js'

/*
 * Qwen3ForCausalLM and LlamaForCausalLM, written with the keys, names and layouts of llama.cpp's own converter, so that
 * llama.cpp can read the file, too.
 */

type Json = Record<string, unknown>

/** A checkpoint's config.json. */
class Config {
  constructor(
    private readonly fields: Json,
    private readonly file = 'config.json',
  ) {}

  #fail(key: string, expected: string): never {
    const found = JSON.stringify(this.fields[key]) ?? 'no such key'
    throw new ModelFormatError(`${this.file}: ${key}: expected ${expected}, found ${found}`, {
      name: key,
      expected,
      found,
    })
  }

  has(key: string): boolean {
    return this.fields[key] !== undefined && this.fields[key] !== null
  }

  number(key: string, missing?: number): number {
    const value = this.fields[key] ?? missing
    return typeof value === 'number' && Number.isFinite(value) ? value : this.#fail(key, 'a number')
  }

  /** Reads a size or count. */
  count(key: string, missing?: number): number {
    const value = this.number(key, missing)
    return Number.isInteger(value) && value > 0 && value < 2 ** 31 ? value : this.#fail(key, 'a whole number above 0')
  }

  text(key: string, missing: string): string {
    const value = this.fields[key] ?? missing
    return typeof value === 'string' ? value : this.#fail(key, 'a text')
  }

  is(key: string): boolean {
    return this.fields[key] === true
  }

  part(key: string): Config {
    const value = this.fields[key] ?? {}
    return typeof value === 'object' && !Array.isArray(value)
      ? new Config(value as Json, `${this.file}: ${key}`)
      : this.#fail(key, 'an object')
  }
}

/** The sizes on which names and layouts depend. */
interface Shape {
  size: number
  heads: number
  headsKv: number
  dim: number
  ffn: number
  blocks: number
}

function configOf(source: Source): Json {
  const { config } = source
  return typeof config === 'object' && config !== null ? (config as Json) : {}
}

const isA = (source: Source, architecture: string): boolean => {
  const { architectures } = configOf(source)
  return source.kind === 'safetensors' && Array.isArray(architectures) && architectures.includes(architecture)
}

/** Hugging Face checkpoints of Qwen3. */
export const qwen3: Converter = {
  name: 'Qwen3 language model',
  takes: 'the folder of a Qwen3ForCausalLM: config.json, safetensors, tokenizer.json',
  detect: source => isA(source, 'Qwen3ForCausalLM'),
  convert: (source, to, options) => convertLm('qwen3', source, to, options),
}

/** Hugging Face checkpoints of Llama and of models with its architecture. */
export const llama: Converter = {
  name: 'Llama language model',
  takes: 'the folder of a LlamaForCausalLM: config.json, safetensors, tokenizer.json',
  detect: source => isA(source, 'LlamaForCausalLM'),
  convert: (source, to, options) => convertLm('llama', source, to, options),
}

function convertLm(
  architecture: 'qwen3' | 'llama',
  source: Source,
  to: GgufWriter,
  { type }: ConvertOptions,
): Promise<void> {
  const config = new Config(configOf(source))
  const shape = shapeOf(config)
  const set = (key: string, value: number | string, kind: 'u32' | 'f32' | 'string'): void => {
    to.set(`${architecture}.${key}`, value, kind)
  }
  to.set('general.architecture', architecture)
  to.set('general.name', basename(config.text('_name_or_path', '') || source.path))
  to.set('general.file_type', { f32: 0, f16: 1, q8_0: 7, bf16: 32 }[type], 'u32')
  to.set('general.quantization_version', 2, 'u32')
  set('block_count', shape.blocks, 'u32')
  set('context_length', config.count('max_position_embeddings'), 'u32')
  set('embedding_length', shape.size, 'u32')
  set('feed_forward_length', shape.ffn, 'u32')
  set('attention.head_count', shape.heads, 'u32')
  set('attention.head_count_kv', shape.headsKv, 'u32')
  set('attention.key_length', shape.dim, 'u32')
  set('attention.value_length', shape.dim, 'u32')
  set('attention.layer_norm_rms_epsilon', config.number('rms_norm_eps', 1e-6), 'f32')
  set('rope.dimension_count', shape.dim, 'u32')

  const tensors = new Map(source.tensors)
  const take = (name: string, wanted: readonly number[]): SourceTensor => {
    const tensor = requireTensor(tensors, name, wanted)
    tensors.delete(name)
    return tensor
  }
  const matrix = (name: string, tensor: SourceTensor): void => {
    to.add(name, tensor, storageType('matrix', tensor.shape, type))
  }
  const embedding = take('model.embed_tokens.weight', [-1, shape.size])
  const vocabulary = embedding.shape[0] ?? 0
  set('vocab_size', vocabulary, 'u32')
  const factors = writeRope(config, shape, set)
  matrix('token_embd.weight', embedding)
  to.add('output_norm.weight', take('model.norm.weight', [shape.size]), 'f32')
  if (tensors.has('lm_head.weight')) {
    const head = take('lm_head.weight', [vocabulary, shape.size])
    if (!config.is('tie_word_embeddings')) matrix('output.weight', head)
  }
  if (factors) to.add('rope_freqs.weight', tensorOf('rope_freqs.weight', [factors.length], factors), 'f32')
  for (let i = 0; i < shape.blocks; i++) convertBlock(architecture, i, shape, { tensors, take, matrix, to })
  refuseRest(tensors)
  writeSampling(source, to)
  writeTokenizer(source, to, vocabulary)
  return Promise.resolve()
}

function shapeOf(config: Config): Shape {
  if (config.text('hidden_act', 'silu') !== 'silu') {
    throw new UnsupportedError(`config.json: hidden_act ${config.text('hidden_act', '')} is not supported: silu is`)
  }
  if (config.is('use_sliding_window')) {
    throw new UnsupportedError('config.json: use_sliding_window: attention in a sliding window is not supported')
  }
  const size = config.count('hidden_size')
  const heads = config.count('num_attention_heads')
  return {
    size,
    heads,
    headsKv: config.count('num_key_value_heads', heads),
    dim: config.count('head_dim', Math.floor(size / heads)),
    ffn: config.count('intermediate_size'),
    blocks: config.count('num_hidden_layers'),
  }
}

interface Target {
  tensors: ReadonlyMap<string, SourceTensor>
  take: (name: string, shape: readonly number[]) => SourceTensor
  matrix: (name: string, tensor: SourceTensor) => void
  to: GgufWriter
}

function convertBlock(architecture: 'qwen3' | 'llama', i: number, shape: Shape, target: Target): void {
  const { tensors, take, matrix, to } = target
  const { size, dim, ffn } = shape
  const [q, kv] = [shape.heads * dim, shape.headsKv * dim]
  const linear = (theirs: string, ours: string, out: number, inputs: number, layout = (t: SourceTensor) => t): void => {
    const [from, name] = [`model.layers.${i}.${theirs}`, `blk.${i}.${ours}`]
    matrix(`${name}.weight`, layout(take(`${from}.weight`, [out, inputs])))
    if (tensors.has(`${from}.bias`)) to.add(`${name}.bias`, layout(take(`${from}.bias`, [out])), 'f32')
  }
  const norm = (theirs: string, ours: string, width: number): void => {
    to.add(`blk.${i}.${ours}.weight`, take(`model.layers.${i}.${theirs}.weight`, [width]), 'f32')
  }
  // RoPE rotates neighbouring channels of a Llama head in llama.cpp, but channels half a head apart in transformers.
  const neighbours = (t: SourceTensor): SourceTensor => {
    const [out = 0, ...inputs] = t.shape
    const halves = reshape(t, [out / dim, 2, dim / 2, inputs[0] ?? 1])
    return reshape(permute(halves, [0, 2, 1, 3]), t.shape)
  }
  const turned = architecture === 'llama' ? neighbours : undefined
  norm('input_layernorm', 'attn_norm', size)
  linear('self_attn.q_proj', 'attn_q', q, size, turned)
  linear('self_attn.k_proj', 'attn_k', kv, size, turned)
  linear('self_attn.v_proj', 'attn_v', kv, size)
  linear('self_attn.o_proj', 'attn_output', size, q)
  if (architecture === 'qwen3') {
    norm('self_attn.q_norm', 'attn_q_norm', dim)
    norm('self_attn.k_norm', 'attn_k_norm', dim)
  }
  norm('post_attention_layernorm', 'ffn_norm', size)
  linear('mlp.gate_proj', 'ffn_gate', ffn, size)
  linear('mlp.up_proj', 'ffn_up', ffn, size)
  linear('mlp.down_proj', 'ffn_down', size, ffn)
}

/** Refuses a checkpoint with tensors that were not converted, except for tables that can be computed. */
function refuseRest(tensors: ReadonlyMap<string, SourceTensor>): void {
  const rest = [...tensors.keys()].find(name => !name.endsWith('rotary_emb.inv_freq'))
  if (rest !== undefined) throw new UnsupportedError(`${rest}: such a tensor is not supported`, { name: rest })
}

/** Writes the base and scaling of RoPE. Returns the divisors of the frequencies for Llama 3.1's scaling. */
function writeRope(
  config: Config,
  { dim }: Shape,
  set: (key: string, value: number | string, kind: 'u32' | 'f32' | 'string') => void,
): Float32Array | undefined {
  const scaling = config.has('rope_parameters') ? config.part('rope_parameters') : config.part('rope_scaling')
  const base = scaling.has('rope_theta') ? scaling.number('rope_theta') : config.number('rope_theta', 10000)
  set('rope.freq_base', base, 'f32')
  const kind = scaling.text('rope_type', scaling.text('type', 'default'))
  if (kind === 'default') return undefined
  if (kind !== 'linear' && kind !== 'yarn' && kind !== 'llama3') {
    throw new UnsupportedError(`config.json: rope_type ${kind} is not supported: default, linear, yarn and llama3 are`)
  }
  const factor = scaling.number('factor')
  if (kind === 'llama3') return llama3Factors(base, dim, factor, scaling)
  set('rope.scaling.type', kind, 'string')
  set('rope.scaling.factor', factor, 'f32')
  if (kind === 'yarn') {
    const trained = scaling.count('original_max_position_embeddings', config.count('max_position_embeddings'))
    set('rope.scaling.original_context_length', trained, 'u32')
    if (scaling.has('beta_fast')) set('rope.scaling.yarn_beta_fast', scaling.number('beta_fast'), 'f32')
    if (scaling.has('beta_slow')) set('rope.scaling.yarn_beta_slow', scaling.number('beta_slow'), 'f32')
    if (scaling.has('attention_factor')) {
      // The factor in the file is multiplied by YaRN's own.
      set('rope.scaling.attn_factor', scaling.number('attention_factor') / (1 + 0.1 * Math.log(factor)), 'f32')
    }
  }
  return undefined
}

/** Llama 3.1's scaling: long wavelengths are stretched by the factor, short ones not at all, with a transition between. */
function llama3Factors(base: number, dim: number, factor: number, scaling: Config): Float32Array {
  const trained = scaling.count('original_max_position_embeddings')
  const [low, high] = [scaling.number('low_freq_factor'), scaling.number('high_freq_factor')]
  return Float32Array.from({ length: dim / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * base ** ((2 * i) / dim)
    const share = Math.min(1, Math.max(0, (trained / wavelength - low) / (high - low)))
    return 1 / ((1 - share) / factor + share)
  })
}

function writeSampling(source: Source, to: GgufWriter): void {
  const path = source.files.get('generation_config.json')
  if (path === undefined) return
  const config = new Config(readJson(path) as Json, 'generation_config.json')
  for (const [theirs, ours] of [
    ['temperature', 'temp'],
    ['top_p', 'top_p'],
    ['repetition_penalty', 'penalty_repeat'],
  ] as const) {
    if (config.has(theirs)) to.set(`general.sampling.${ours}`, config.number(theirs), 'f32')
  }
  if (config.has('top_k')) to.set('general.sampling.top_k', config.number('top_k'), 'i32')
}
