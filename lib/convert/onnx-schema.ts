import protobuf from 'protobufjs/light.js'

/** The fields of onnx.proto that we read: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. */

const field = (type: string, id: number): protobuf.IField => ({ type, id })
const list = (type: string, id: number): protobuf.IField => ({ rule: 'repeated', type, id })

const { nested } = {
  nested: {
    StringStringEntryProto: { fields: { key: field('string', 1), value: field('string', 2) } },
    OperatorSetIdProto: { fields: { domain: field('string', 1), version: field('int64', 2) } },
    TensorProto: {
      fields: {
        dims: list('int64', 1),
        dataType: field('int32', 2),
        floatData: list('float', 4),
        int32Data: list('int32', 5),
        int64Data: list('int64', 7),
        name: field('string', 8),
        rawData: field('bytes', 9),
        doubleData: list('double', 10),
        uint64Data: list('uint64', 11),
        externalData: list('StringStringEntryProto', 13),
        dataLocation: field('int32', 14),
      },
    },
    AttributeProto: {
      fields: {
        name: field('string', 1),
        f: field('float', 2),
        i: field('int64', 3),
        s: field('bytes', 4),
        t: field('TensorProto', 5),
        floats: list('float', 7),
        ints: list('int64', 8),
        strings: list('bytes', 9),
        type: field('int32', 20),
      },
    },
    NodeProto: {
      fields: {
        input: list('string', 1),
        output: list('string', 2),
        name: field('string', 3),
        opType: field('string', 4),
        attribute: list('AttributeProto', 5),
        domain: field('string', 7),
      },
    },
    Dimension: { fields: { dimValue: field('int64', 1), dimParam: field('string', 2) } },
    TensorShapeProto: { fields: { dim: list('Dimension', 1) } },
    TensorTypeProto: { fields: { elemType: field('int32', 1), shape: field('TensorShapeProto', 2) } },
    TypeProto: { fields: { tensorType: field('TensorTypeProto', 1) } },
    ValueInfoProto: { fields: { name: field('string', 1), type: field('TypeProto', 2) } },
    GraphProto: {
      fields: {
        node: list('NodeProto', 1),
        name: field('string', 2),
        initializer: list('TensorProto', 5),
        input: list('ValueInfoProto', 11),
        output: list('ValueInfoProto', 12),
      },
    },
    ModelProto: {
      fields: {
        irVersion: field('int64', 1),
        producerName: field('string', 2),
        producerVersion: field('string', 3),
        graph: field('GraphProto', 7),
        opsetImport: list('OperatorSetIdProto', 8),
        metadataProps: list('StringStringEntryProto', 14),
      },
    },
  },
}

export type Int64 = number | { toNumber(): number }

export interface TensorProto {
  dims: Int64[]
  dataType: number
  floatData: number[]
  int32Data: number[]
  int64Data: Int64[]
  name: string
  rawData: Uint8Array
  doubleData: number[]
  uint64Data: Int64[]
  externalData: { key: string; value: string }[]
  dataLocation: number
}

export interface AttributeProto {
  name: string
  f: number
  i: Int64
  s: Uint8Array
  t: TensorProto | null
  floats: number[]
  ints: Int64[]
  strings: Uint8Array[]
  type: number
}

export interface NodeProto {
  input: string[]
  output: string[]
  name: string
  opType: string
  attribute: AttributeProto[]
  domain: string
}

export interface ValueInfoProto {
  name: string
  type: { tensorType: { shape: { dim: { dimValue: Int64; dimParam: string }[] } | null } | null } | null
}

export interface ModelProto {
  irVersion: Int64
  producerName: string
  producerVersion: string
  graph: {
    node: NodeProto[]
    name: string
    initializer: TensorProto[]
    input: ValueInfoProto[]
    output: ValueInfoProto[]
  } | null
  opsetImport: { domain: string; version: Int64 }[]
  metadataProps: { key: string; value: string }[]
}

let model: protobuf.Type | undefined

/** @throws the errors of protobufjs for bytes that are not such a message. */
export function decodeModel(bytes: Uint8Array): ModelProto {
  model ??= protobuf.Root.fromJSON({ nested }).lookupType('ModelProto')
  return model.decode(bytes) as unknown as ModelProto
}
