// Conversion of Hugging Face checkpoints of Qwen3 and Llama: tokens and replies are those of transformers.

import { readFileSync } from 'node:fs'
import { cp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { loadAddon } from '../dist/lib/binding.js'
import { convertSource } from '../dist/lib/convert/index.js'
import { readGgufKeys } from '../dist/lib/convert/gguf.js'
import { loadModel } from '../dist/lib/index.js'
import { loadChat } from '../dist/lib/text/chat.js'
import { ggufTokenizer } from '../dist/lib/text/gguf-tokenizer.js'
import { addTokenizer, decodeText, tokenizerOf } from '../dist/lib/text/tokenizer.js'
import { root } from './helpers/model.js'

interface Golden {
  runs: { prompt: number[]; reply: number[] }[]
  texts: string[]
  ids: number[][]
}

const folderOf = (name: string): string => join(root, 'test', 'golden', name)
const goldenOf = (name: string): Golden =>
  JSON.parse(readFileSync(join(folderOf(name), 'golden.json'), 'utf8')) as Golden

async function greedy(path: string, prompt: number[], count: number): Promise<number[]> {
  const model = await loadAddon().loadModel(path, { threads: 1 })
  const session = model.createSession()
  const textIds = Int32Array.from(prompt)
  const stream = session.generate({ textIds, output: 'text', temperature: 0, maxTokens: count })
  const ids: number[] = []
  for (let done = false; !done;) {
    const chunk = await stream.next()
    ids.push(...(chunk.textIds ?? []))
    done = chunk.done
  }
  session.dispose()
  model.dispose()
  return ids
}

let key = 2000
for (const [name, architecture, pre] of [
  ['hf-qwen3', 'qwen3', 'qwen2'],
  ['hf-llama', 'llama', 'llama-bpe'],
] as const) {
  t.test(name, async t => {
    const out = join(t.testdir(), 'out.gguf')
    const { runs, texts, ids } = goldenOf(name)
    const { tensors } = await convertSource(folderOf(name), out, 'f32', () => undefined)
    t.ok(tensors.length > 20)
    for (const { prompt, reply } of runs) t.same(await greedy(out, prompt, reply.length), reply, `${prompt.length} ids`)

    const keys = readGgufKeys(out)
    t.match(Object.fromEntries([...keys].map(([k, v]) => [k, v.value])), {
      'general.architecture': architecture,
      'general.sampling.top_k': 7,
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.pre': pre,
      'tokenizer.ggml.eos_token_id': 292,
      'tokenizer.ggml.eot_token_id': 290,
    })
    const [whole, written] = [key++, key++]
    t.same([...loadChat(whole, out)].sort(), [290, 292], 'what ends a reply')
    addTokenizer(written, ggufTokenizer(keys).json, { clean_up_tokenization_spaces: false })
    for (const [i, text] of texts.entries()) {
      for (const mine of [whole, written]) {
        t.same(
          tokenizerOf(mine).tokenizer.encode(text, { add_special_tokens: false }).ids,
          ids[i],
          JSON.stringify(text),
        )
        t.equal(decodeText(mine, Int32Array.from(ids[i] ?? [])), name === 'hf-qwen3' ? text.normalize() : text)
      }
    }

    const model = await loadModel(out)
    t.equal(model.info().sampling.topK, 7)
    t.type((await model.createSession().generate({ text: 'Hello' }, { maxTokens: 8 }).result()).text, 'string')
    await model.dispose()
  })

  t.test(`${name}, smaller types`, async t => {
    for (const type of ['q8_0', 'f16', 'bf16'] as const) {
      const out = join(t.testdir(), `${type}.gguf`)
      await convertSource(folderOf(name), out, type, () => undefined)
      t.equal((await greedy(out, [1, 2, 3], 4)).length, 4, type)
    }
  })
}

t.test('checkpoints that do not fit', async t => {
  const base = t.testdir()
  const changed = async (change: (folder: string) => Promise<void>): Promise<string> => {
    const folder = join(base, String(Math.random()).slice(2))
    await cp(folderOf('hf-llama'), folder, { recursive: true })
    await change(folder)
    return folder
  }
  const config = (changes: object) => async (folder: string) => {
    const path = join(folder, 'config.json')
    await writeFile(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...changes }))
  }
  const cases: [(folder: string) => Promise<void>, string, RegExp][] = [
    [config({ num_hidden_layers: 3 }), 'MOSS_MODEL_FORMAT', /model\.layers\.2\./],
    [config({ num_hidden_layers: 1 }), 'MOSS_UNSUPPORTED', /model\.layers\.1\./],
    [config({ hidden_size: 64 }), 'MOSS_MODEL_FORMAT', /embed_tokens/],
    [config({ num_attention_heads: 'x' }), 'MOSS_MODEL_FORMAT', /num_attention_heads/],
    [config({ head_dim: 7 }), 'MOSS_MODEL_FORMAT', /q_proj/],
    [config({ hidden_act: 'gelu' }), 'MOSS_UNSUPPORTED', /gelu/],
    [config({ rope_parameters: { rope_type: 'longrope', factor: 2 } }), 'MOSS_UNSUPPORTED', /longrope/],
    [folder => rm(join(folder, 'tokenizer.json')), 'MOSS_MODEL_FORMAT', /tokenizer\.json/],
    [folder => writeFile(join(folder, 'tokenizer.json'), '{"model":{"type":"Unigram"}}'), 'MOSS_MODEL_FORMAT', /BPE/],
    [folder => writeFile(join(folder, 'tokenizer.json'), 'no'), 'MOSS_MODEL_FORMAT', /no JSON/],
    [
      folder => writeFile(join(folder, 'tokenizer.json'), '{"model":{"type":"BPE","vocab":{"a":304},"merges":[]}}'),
      'MOSS_MODEL_FORMAT',
      /below 304/,
    ],
  ]
  for (const [change, code, message] of cases) {
    const folder = await changed(change)
    const conversion = convertSource(folder, join(base, 'out.gguf'), 'f32', () => undefined)
    await t.rejects(conversion, { code, message }, String(message))
  }
})
