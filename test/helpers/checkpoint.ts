// Writes checkpoint files for the tests.

import protobuf from 'protobufjs/light.js'

const BYTES: Record<string, number> = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1 }

export interface Entry {
  dtype: string
  shape: number[]
  data_offsets: [number, number]
}

/** A safetensors file with any header, also a wrong one, and the given data. */
export function rawSafetensors(header: unknown, data: Uint8Array): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, json, data])
}

/** A valid safetensors file with the bytes of each tensor, in order. */
export function safetensors(
  tensors: Record<string, { dtype?: string; shape: number[]; data: ArrayBufferView }>,
): Buffer {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  const parts: Uint8Array[] = []
  let position = 0
  for (const [name, { dtype = 'F32', shape, data }] of Object.entries(tensors)) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    const expected = shape.reduce((product, n) => product * n, 1) * (BYTES[dtype] ?? 0)
    if (bytes.length !== expected) throw new Error(`${name}: ${bytes.length} bytes, not ${expected}`)
    header[name] = { dtype, shape, data_offsets: [position, position + bytes.length] } satisfies Entry
    position += bytes.length
    parts.push(bytes)
  }
  return rawSafetensors(header, Buffer.concat(parts))
}

// --- ONNX, with a schema separate from the reader's, so that the tests do not depend on what the reader declares
// -------

const PROTO = {
  Entry: { key: ['string', 1], value: ['string', 2] },
  Opset: { domain: ['string', 1], version: ['int64', 2] },
  Tensor: {
    dims: ['int64', 1, 'repeated'], data_type: ['int32', 2], float_data: ['float', 4, 'repeated'],
    int32_data: ['int32', 5, 'repeated'], int64_data: ['int64', 7, 'repeated'], name: ['string', 8], raw_data: ['bytes', 9],
    double_data: ['double', 10, 'repeated'], external_data: ['Entry', 13, 'repeated'], data_location: ['int32', 14],
  },
  Attribute: {
    name: ['string', 1], f: ['float', 2], i: ['int64', 3], s: ['bytes', 4], t: ['Tensor', 5],
    floats: ['float', 7, 'repeated'], ints: ['int64', 8, 'repeated'], strings: ['bytes', 9, 'repeated'], type: ['int32', 20],
  },
  Node: {
    input: ['string', 1, 'repeated'], output: ['string', 2, 'repeated'], name: ['string', 3], op_type: ['string', 4],
    attribute: ['Attribute', 5, 'repeated'], domain: ['string', 7],
  },
  Dim: { dim_value: ['int64', 1], dim_param: ['string', 2] },
  Shape: { dim: ['Dim', 1, 'repeated'] },
  TensorType: { elem_type: ['int32', 1], shape: ['Shape', 2] },
  ValueType: { tensor_type: ['TensorType', 1] },
  Value: { name: ['string', 1], type: ['ValueType', 2] },
  Graph: {
    node: ['Node', 1, 'repeated'], name: ['string', 2], initializer: ['Tensor', 5, 'repeated'],
    input: ['Value', 11, 'repeated'], output: ['Value', 12, 'repeated'],
  },
  Model: {
    ir_version: ['int64', 1], producer_name: ['string', 2], producer_version: ['string', 3], graph: ['Graph', 7],
    opset_import: ['Opset', 8, 'repeated'], metadata_props: ['Entry', 14, 'repeated'],
  },
} as Record<string, Record<string, [string, number, string?]>> // prettier-ignore

const root = protobuf.Root.fromJSON({
  nested: Object.fromEntries(
    Object.entries(PROTO).map(([message, fields]) => [
      message,
      {
        fields: Object.fromEntries(
          Object.entries(fields).map(([name, [type, id, rule]]) => [name, { type, id, ...(rule && { rule }) }]),
        ),
      },
    ]),
  ),
}, new protobuf.Root({ keepCase: true })) // prettier-ignore

/** The field names are those of onnx.proto. */
export function onnx(graph: object, model: object = {}): Buffer {
  const type = root.lookupType('Model')
  return Buffer.from(
    type
      .encode(
        type.create({
          ir_version: 8,
          producer_name: 'pytorch',
          producer_version: '2.1.0',
          opset_import: [{ domain: '', version: 15 }],
          graph,
          ...model,
        }),
      )
      .finish(),
  )
}
