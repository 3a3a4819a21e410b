// Compatibility with the Python libraries of the file formats: their files are read by us, and ours by them. Skipped if
// a library is missing; MOSS_PYTHON names another interpreter than python3.

import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { openGguf } from '../dist/lib/convert/gguf.js'
import { GgufWriter } from '../dist/lib/convert/gguf-writer.js'
import { openOnnx } from '../dist/lib/convert/onnx.js'
import { openSafetensors, openShards } from '../dist/lib/convert/safetensors.js'
import { requireTensor, tensorOf } from '../dist/lib/convert/tensor.js'
import { safetensors } from './helpers/checkpoint.js'

const candidates = [process.env.MOSS_PYTHON, 'python3', join(homedir(), '.cache', 'moss-venv', 'bin', 'python')]

/** A Python interpreter with these modules. */
function pythonWith(...modules: string[]): string | undefined {
  return candidates
    .filter(candidate => candidate !== undefined)
    .find(candidate => spawnSync(candidate, ['-c', `import ${modules.join(', ')}`]).status === 0)
}

/** Runs a Python program with arguments and returns the JSON that it prints. */
function python(interpreter: string, program: string, ...args: string[]): unknown {
  const { status, stdout, stderr } = spawnSync(interpreter, ['-c', program, ...args], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return stdout.trim() === '' ? undefined : JSON.parse(stdout)
}

const folder = t.testdir()
const at = (name: string): string => join(folder, name)
const wave = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(0.37 * i) * (1 + (i % 7)))

const withGguf = pythonWith('numpy', 'gguf')
const withSafetensors = pythonWith('numpy', 'safetensors')
const withOnnx = pythonWith('numpy', 'onnx')
const missing = (found: string | undefined, name: string) =>
  found === undefined && `the Python package ${name} is not here`

t.test('GGUF', { skip: missing(withGguf, 'gguf') }, async t => {
  const types = [
    'f32',
    'f16',
    'bf16',
    'q8_0',
    'q4_0',
    'q4_1',
    'q5_0',
    'q5_1',
    'q4_k',
    'q5_k',
    'q6_k',
    'q2_k',
    'q3_k',
  ] as const
  const values = wave(4 * 512)
  const writer = new GgufWriter(at('ours.gguf'))
    .set('general.architecture', 'moss-speech')
    .set('n', 7)
    .set('x', 0.5)
    .set('flag', true)
    .set('big', 2n ** 40n)
    .set('units', ['_', 'ä', '→'])
    .set('strides', [5, 4])
    .set('table', [0.5, 1])
  for (const type of types) writer.add(type, tensorOf(type, [4, 512], values), type)
  await writer.add('odd', tensorOf('odd', [3, 1, 5], wave(15)), 'f32').finish()
  const found = python(
    withGguf ?? '',
    `
import sys, json, gguf, numpy as np
r = gguf.GGUFReader(sys.argv[1])
keys = {k: f.contents() for k, f in r.fields.items() if not k.startswith("GGUF.")}
tensors = {t.name: [t.tensor_type.name, [int(n) for n in t.shape], gguf.quants.dequantize(t.data, t.tensor_type).reshape(-1).tolist()] for t in r.tensors}
print(json.dumps({"keys": keys, "tensors": tensors}))`,
    at('ours.gguf'),
  ) as { keys: object; tensors: Record<string, [string, number[], number[]]> }
  t.same(found.keys, {
    'general.architecture': 'moss-speech',
    n: 7,
    x: 0.5,
    flag: true,
    big: 2 ** 40,
    units: ['_', 'ä', '→'],
    strides: [5, 4],
    table: [0.5, 1],
  })
  t.same(found.tensors.odd?.slice(0, 2), ['F32', [5, 1, 3]])
  const file = openGguf(at('ours.gguf'))
  t.teardown(() => file.close())
  for (const type of types) {
    const [name, shape, theirs] = found.tensors[type] ?? ['', [], []]
    t.equal(name.toLowerCase(), type)
    t.same(shape, [512, 4])
    const ours = await requireTensor(file.tensors, type).read()
    // Both compute in float32, but in another order.
    t.ok(
      ours.every((value, i) => Math.abs(value - (theirs[i] ?? NaN)) <= 1e-5 * Math.max(1, Math.abs(value))),
      `${type}: equal values`,
    )
  }

  python(
    withGguf ?? '',
    `
import sys, gguf, numpy as np
w = gguf.GGUFWriter(sys.argv[1], "test")
w.add_uint8("u8", 200); w.add_int64("i64", -5); w.add_float64("f64", 0.1); w.add_array("names", ["a", "b"]); w.add_bool("no", False)
x = np.arange(96, dtype=np.float32).reshape(3, 32)
w.add_tensor("x", x)
w.add_tensor("q", gguf.quants.quantize(x, gguf.GGMLQuantizationType.Q8_0), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()`,
    at('theirs.gguf'),
  )
  const theirs = openGguf(at('theirs.gguf'))
  t.teardown(() => theirs.close())
  t.match(Object.fromEntries(theirs.metadata), {
    'general.architecture': { type: 'string', value: 'test' },
    u8: { type: 'u8', value: 200 },
    i64: { type: 'i64', value: -5 },
    f64: { type: 'f64', value: 0.1 },
    names: { type: 'string', value: ['a', 'b'] },
    no: { type: 'bool', value: false },
  })
  const x = requireTensor(theirs.tensors, 'x', [3, 32])
  t.same(
    await x.read(),
    Float32Array.from({ length: 96 }, (_, i) => i),
  )
  const q = await requireTensor(theirs.tensors, 'q', [3, 32]).read()
  t.ok(q.every((value, i) => Math.abs(value - i) <= 0.5 * (95 / 127) + 0.05))
})

t.test('safetensors', { skip: missing(withSafetensors, 'safetensors') }, async t => {
  python(
    withSafetensors ?? '',
    `
import sys, json, numpy as np
from safetensors.numpy import save_file
rng = np.random.default_rng(1)
tensors = {"f32": rng.standard_normal((3, 5)).astype(np.float32), "f16": rng.standard_normal((7,)).astype(np.float16),
  "f64": rng.standard_normal((2, 2)), "i64": np.array([1, -2]), "u8": np.array([[1, 255]], dtype=np.uint8), "scalar": np.float32(3)}
tensors = {k: np.asarray(v) for k, v in tensors.items()}
save_file(tensors, sys.argv[1] + "/theirs.safetensors", metadata={"format": "pt"})
json.dump({k: v.astype(np.float32).reshape(-1).tolist() for k, v in tensors.items()}, open(sys.argv[1] + "/theirs.json", "w"))
names = list(tensors)
save_file({k: tensors[k] for k in names[:3]}, sys.argv[1] + "/model-1.safetensors")
save_file({k: tensors[k] for k in names[3:]}, sys.argv[1] + "/model-2.safetensors")
json.dump({"metadata": {}, "weight_map": {k: "model-1.safetensors" if i < 3 else "model-2.safetensors" for i, k in enumerate(names)}},
  open(sys.argv[1] + "/model.safetensors.index.json", "w"))`,
    folder,
  )
  const { readFileSync } = await import('node:fs')
  const expected = JSON.parse(readFileSync(at('theirs.json'), 'utf8')) as Record<string, number[]>
  for (const file of [openSafetensors(at('theirs.safetensors')), openShards(at('model.safetensors.index.json'))]) {
    t.equal(file.tensors.size, 6)
    for (const [name, values] of Object.entries(expected)) {
      t.same([...(await requireTensor(file.tensors, name).read())], values, name)
    }
    file.close()
  }
  // The library can read the files that the tests write.
  writeFileSync(at('ours.safetensors'), safetensors({ w: { shape: [2, 3], data: wave(6) } }))
  const ours = python(
    withSafetensors ?? '',
    'import sys, json\nfrom safetensors.numpy import load_file\nprint(json.dumps({k: [list(v.shape), v.reshape(-1).tolist()] for k, v in load_file(sys.argv[1]).items()}))',
    at('ours.safetensors'),
  )
  t.same(ours, { w: [[2, 3], [...wave(6)]] })
})

t.test('ONNX', { skip: missing(withOnnx, 'onnx') }, async t => {
  const expected = python(
    withOnnx ?? '',
    `
import sys, json, numpy as np, onnx
from onnx import TensorProto as T, helper as h, numpy_helper as n
rng = np.random.default_rng(2)
arrays = {"onnx::Conv_12": rng.standard_normal((4, 3, 5)).astype(np.float32), "half": rng.standard_normal((6,)).astype(np.float16),
  "ints": np.array([3, -1], dtype=np.int64), "double": rng.standard_normal((2,))}
init = [n.from_array(v, k) for k, v in arrays.items()]
init.append(h.make_tensor("listed", T.FLOAT, [2, 2], [1.0, 2.0, 3.0, 4.0]))
nodes = [h.make_node("Conv", ["x", "onnx::Conv_12"], ["y"], name="/dec/conv_pre/Conv", dilations=[2], group=1, auto_pad="NOTSET"),
  h.make_node("Constant", [], ["k"], value=h.make_tensor("k", T.FLOAT, [1], [0.5])), h.make_node("Mul", ["y", "k"], ["z"])]
g = h.make_graph(nodes, "g", [h.make_tensor_value_info("x", T.FLOAT, ["batch", 3, "time"])], [h.make_tensor_value_info("z", T.FLOAT, None)], init)
m = h.make_model(g, producer_name="test", opset_imports=[h.make_opsetid("", 15)])
onnx.save(m, sys.argv[1] + "/m.onnx")
onnx.save(m, sys.argv[1] + "/far.onnx", save_as_external_data=True, location="far.data", size_threshold=0)
print(json.dumps({k: v.astype(np.float32).reshape(-1).tolist() for k, v in arrays.items()}))`,
    folder,
  ) as Record<string, number[]>
  for (const file of ['m.onnx', 'far.onnx']) {
    const model = openOnnx(at(file))
    for (const [name, values] of Object.entries({ ...expected, listed: [1, 2, 3, 4], k: [0.5] })) {
      t.same([...(await requireTensor(model.tensors, name).read())], values, `${file} ${name}`)
    }
    t.same(model.inputs, [{ name: 'x', shape: ['batch', 3, 'time'] }])
    t.same(
      model.outputs.map(({ name }) => name),
      ['z'],
    )
    t.same(
      model.nodes.map(node => node.op),
      ['Conv', 'Constant', 'Mul'],
    )
    t.match(Object.fromEntries(model.nodes[0]?.attributes ?? []), { dilations: [2], group: 1, auto_pad: 'NOTSET' })
    t.equal(model.opset, 15)
  }
})
