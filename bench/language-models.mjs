/*
 * Language models with the shapes of real ones and random Q8_0 weights, for the benchmarks. Speed and memory do not
 * depend on the values of weights.
 */
import { GgufWriter } from '../dist/lib/convert/gguf-writer.js'
import { tensorOf } from '../dist/lib/convert/tensor.js'
import { cached } from './harness.mjs'

/** The shape of Qwen3-0.6B. */
const QWEN3 = {
  size: 1024,
  heads: 16,
  headsKv: 8,
  dim: 128,
  ffn: 3072,
  blocks: 28,
  vocabulary: 151_936,
  context: 40_960,
}
const CONTROL_TOKENS = ['<|endoftext|>', '<|im_start|>', '<|im_end|>']
const ORDINARY_TOKENS = 151_643
const TEMPLATE =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

/** A generator of pseudo-random numbers in [0, 1) with a fixed sequence. */
function generator(seed) {
  let state = seed >>> 0
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32
}

/** A matrix whose output has the variance of its input. */
function matrix(name, out, inputs) {
  return tensorOf(name, [out, inputs], () => {
    const next = generator(name.length + out + inputs)
    const scale = Math.sqrt(12 / inputs)
    const values = new Float32Array(out * inputs)
    for (let i = 0; i < values.length; i++) values[i] = (next() - 0.5) * scale
    return Promise.resolve(values)
  })
}

const ones = (name, size) => tensorOf(name, [size], new Float32Array(size).fill(1))

/** The matrices of a block, [out, in]. */
const linears = ({ size, heads, headsKv, dim, ffn }) => ({
  attn_q: [heads * dim, size],
  attn_k: [headsKv * dim, size],
  attn_v: [headsKv * dim, size],
  attn_output: [size, heads * dim],
  ffn_gate: [ffn, size],
  ffn_up: [ffn, size],
  ffn_down: [size, ffn],
})

/** The bytes of matrices in Q8_0. */
const bytesOf = shapes => shapes.reduce((sum, [out, inputs]) => sum + (out * inputs * 34) / 32, 0)

function addBlock(to, name, shape) {
  for (const [part, [out, inputs]] of Object.entries(linears(shape))) {
    const weight = `${name}.${part}.weight`
    to.add(weight, matrix(weight, out, inputs), 'q8_0')
  }
  const { size, dim } = shape
  for (const [part, width] of Object.entries({ attn_norm: size, attn_q_norm: dim, attn_k_norm: dim, ffn_norm: size })) {
    to.add(`${name}.${part}.weight`, ones(part, width), 'f32')
  }
}

/** Adds a byte-level BPE tokenizer of the size of Qwen3's, with random merges. */
function addTokenizer(to, vocabulary) {
  const printable = code => (code >= 33 && code <= 126) || (code >= 161 && code <= 172) || code >= 174
  let others = 256
  const tokens = Array.from({ length: 256 }, (_, code) => String.fromCodePoint(printable(code) ? code : others++))
  const known = new Set(tokens)
  const merges = []
  const next = generator(1)
  while (tokens.length < ORDINARY_TOKENS) {
    const [left, right] = [0, 0].map(() => tokens[Math.floor(next() * Math.min(tokens.length, 4096))])
    const token = left + right
    if (known.has(token) || token.length > 16) continue
    known.add(token)
    tokens.push(token)
    merges.push(`${left} ${right}`)
  }
  const types = tokens.map(() => 1)
  for (const token of CONTROL_TOKENS) types.push(3) && tokens.push(token)
  while (tokens.length < vocabulary) types.push(5) && tokens.push(`[PAD${tokens.length}]`)
  to.set('tokenizer.ggml.model', 'gpt2').set('tokenizer.ggml.pre', 'qwen2')
  to.set('tokenizer.ggml.tokens', tokens, 'string').set('tokenizer.ggml.token_type', types, 'i32')
  to.set('tokenizer.ggml.merges', merges, 'string')
  to.set('tokenizer.ggml.eos_token_id', tokens.indexOf('<|im_end|>'), 'u32')
  to.set('tokenizer.chat_template', TEMPLATE)
}

/** The path of a model of Qwen3-0.6B's shape in llama.cpp's format. */
export function qwen3() {
  const shape = QWEN3
  return cached('qwen3-0.6b-q8_0.gguf', async path => {
    const to = new GgufWriter(path)
    to.set('general.architecture', 'qwen3').set('general.name', 'random').set('general.file_type', 7, 'u32')
    const keys = {
      block_count: shape.blocks,
      context_length: shape.context,
      embedding_length: shape.size,
      feed_forward_length: shape.ffn,
      'attention.head_count': shape.heads,
      'attention.head_count_kv': shape.headsKv,
      'attention.key_length': shape.dim,
      'attention.value_length': shape.dim,
      'rope.dimension_count': shape.dim,
      vocab_size: shape.vocabulary,
    }
    for (const [key, value] of Object.entries(keys)) to.set(`qwen3.${key}`, value, 'u32')
    to.set('qwen3.attention.layer_norm_rms_epsilon', 1e-6, 'f32').set('qwen3.rope.freq_base', 1e6, 'f32')
    addTokenizer(to, shape.vocabulary)
    to.add('token_embd.weight', matrix('token_embd', shape.vocabulary, shape.size), 'q8_0')
    to.add('output_norm.weight', ones('output_norm', shape.size), 'f32')
    for (let i = 0; i < shape.blocks; i++) addBlock(to, `blk.${i}`, shape)
    await to.finish()
  })
}

/**
 * A layer-split model of the same shape, in the format of docs/internals/model-file.md: 24 shared blocks, a text tail
 * of 4, an audio tail of `audioBlocks`. It has no tokenizer and is used for text turns by ids.
 *
 * @returns its path, and the bytes that a step that outputs text reads: those of the audio tail, and all others
 */
export async function layerSplit(audioBlocks) {
  const shape = { ...QWEN3, shared: 24, text: 4, audioVocabulary: 16_512 }
  const path = await cached(`layer-split-0.6b-${audioBlocks}-q8_0.gguf`, async part => {
    const to = new GgufWriter(part)
    to.set('general.architecture', 'moss-speech').set('general.name', 'random')
    const keys = {
      embedding_length: shape.size,
      feed_forward_length: shape.ffn,
      shared_block_count: shape.shared,
      text_block_count: shape.text,
      audio_block_count: audioBlocks,
      head_count: shape.heads,
      head_count_kv: shape.headsKv,
      key_length: shape.dim,
      context_length: shape.context,
      text_vocab_size: shape.vocabulary,
      audio_vocab_size: shape.audioVocabulary,
    }
    for (const [key, value] of Object.entries(keys)) to.set(`moss-speech.lm.${key}`, value, 'u32')
    to.set('moss-speech.lm.rms_epsilon', 1e-6, 'f32').set('moss-speech.lm.rope_freq_base', 1e6, 'f32')
    to.set('moss-speech.units', ['_', 'a']).set('tokenizer.huggingface.json', '{}')
    for (const [i, name] of ['im_start', 'im_end', 'sosp', 'modality_pad', 'pad'].entries()) {
      to.set(`moss-speech.token.${name}`, shape.vocabulary - 1 - i, 'u32')
    }
    for (const name of ['user_prefix', 'transcribe_prefix', 'assistant_prefix', 'turn_end']) {
      to.set(`moss-speech.template.${name}`, [shape.vocabulary - 1], 'u32')
    }
    to.set('moss-speech.audio.eosp', 2, 'u32').set('moss-speech.audio.pad', 3, 'u32')
    for (const [channel, vocabulary] of [
      ['text', shape.vocabulary],
      ['audio', shape.audioVocabulary],
    ]) {
      for (const name of ['token_embd', 'output'].map(table => `${channel}.${table}.weight`)) {
        to.add(name, matrix(name, vocabulary, shape.size), 'q8_0')
      }
      to.add(`${channel}.output_norm.weight`, ones('output_norm', shape.size), 'f32')
    }
    for (const [prefix, count] of [
      ['', shape.shared],
      ['text.', shape.text],
      ['audio.', audioBlocks],
    ]) {
      for (let i = 0; i < count; i++) addBlock(to, `${prefix}blk.${i}`, shape)
    }
    await to.finish()
  })
  const { attn_k, attn_v, ...others } = linears(shape)
  const keysAndValues = bytesOf([attn_k, attn_v])
  const block = keysAndValues + bytesOf(Object.values(others))
  const head = bytesOf([[shape.vocabulary, shape.size]])
  return {
    path,
    bytes: {
      audio: audioBlocks > 0 ? (audioBlocks - 1) * block + keysAndValues : 0, // the output of the last block is not needed
      rest: (shape.shared + shape.text) * block + head,
    },
  }
}
