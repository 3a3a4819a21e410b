import { basename, dirname, join } from 'node:path'
import { ModelFormatError } from '../errors.js'
import { aligned, bytesOfDtype, decodeValues } from './dtype.js'
import { RandomAccessFile } from './files.js'
import { decodeModel, type AttributeProto, type Int64, type ModelProto, type TensorProto } from './onnx-schema.js'
import { elementsOf, shapeText, type SourceTensor } from './tensor.js'

/** An input or output of a graph. A dimension without a fixed size is given by its name, or ''. */
export interface OnnxValue {
  readonly name: string
  readonly shape: readonly (number | string)[]
}

/** The value of an attribute. 64-bit integers are rounded to the nearest number; subgraphs are left out. */
export type OnnxAttribute = number | string | readonly number[] | readonly string[] | SourceTensor

export interface OnnxNode {
  readonly name: string
  /** `Conv`, `Gemm` … */
  readonly op: string
  /** '' for ONNX's own operators. */
  readonly domain: string
  /** '' for an optional input that is left out. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: ReadonlyMap<string, OnnxAttribute>
}

export interface OnnxModel {
  readonly path: string
  /** The name and version of the program that wrote the file: `pytorch 2.1.0`. */
  readonly producer: string
  /** The version of ONNX's own operators. */
  readonly opset: number
  /** `metadata_props`. */
  readonly metadata: ReadonlyMap<string, string>
  /** The inputs of the graph, without initializers, which older files also list. */
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
  /** In the order of the file, in which they can be computed. */
  readonly nodes: readonly OnnxNode[]
  /** Initializers and the values of Constant nodes. */
  readonly tensors: Map<string, SourceTensor>
}

/** A protobuf message is at most 2 GiB long. */
const LARGEST = 2 ** 31 - 1
/** onnx.proto, TensorProto.DataType. Strings, complex numbers and 8- and 4-bit floats are not supported. */
const DTYPES: Readonly<Record<number, string>> = {
  1: 'F32', 2: 'U8', 3: 'I8', 4: 'U16', 5: 'I16', 6: 'I32', 7: 'I64', 9: 'BOOL', 10: 'F16', 11: 'F64', 12: 'U32', 13: 'U64', 16: 'BF16',
} // prettier-ignore
const EXTERNAL = 1

const toNumber = (value: Int64): number => (typeof value === 'number' ? value : value.toNumber())

/**
 * Reads an ONNX file: weights, nodes with their attributes, inputs and outputs of the main graph. Weights in external
 * files are read from the same folder. Blocks while it reads: to be used in worker threads.
 *
 * @throws {@link ModelFormatError} names what is wrong; {@link FileError}
 */
export function openOnnx(path: string): OnnxModel {
  const { graph, ...model } = decode(path)
  if (!graph || graph.node.length === 0) throw unsound(path, 'it holds no graph')
  const tensors = new Map<string, SourceTensor>()
  const define = (tensor: SourceTensor): void => {
    if (tensors.has(tensor.name)) throw unsound(path, `the tensor ${tensor.name} is there twice`)
    tensors.set(tensor.name, tensor)
  }
  for (const proto of graph.initializer) define(toTensor(path, proto, proto.name))
  const nodes = graph.node.map((proto): OnnxNode => {
    const attributes = new Map<string, OnnxAttribute>()
    for (const attribute of proto.attribute) {
      const value = toAttribute(path, proto.name, attribute)
      if (value !== undefined) attributes.set(attribute.name, value)
    }
    const [output] = proto.output
    const { t } = proto.attribute.find(({ name }) => name === 'value') ?? {}
    if (proto.opType === 'Constant' && output !== undefined && t) define(toTensor(path, t, output))
    return {
      name: proto.name,
      op: proto.opType,
      domain: proto.domain,
      inputs: proto.input,
      outputs: proto.output,
      attributes,
    }
  })
  const toValue = ({ name, type }: (typeof graph.input)[number]): OnnxValue => ({
    name,
    shape: (type?.tensorType?.shape?.dim ?? []).map(dim => toNumber(dim.dimValue) || dim.dimParam),
  })
  return {
    path,
    producer: `${model.producerName} ${model.producerVersion}`.trim(),
    opset: toNumber(model.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 0),
    metadata: new Map(model.metadataProps.map(({ key, value }) => [key, value])),
    inputs: graph.input.filter(({ name }) => !tensors.has(name)).map(toValue),
    outputs: graph.output.map(toValue),
    nodes,
    tensors,
  }
}

function decode(path: string): ModelProto {
  const file = new RandomAccessFile(path)
  try {
    if (file.size > LARGEST) throw unsound(path, 'it is larger than 2 GiB')
    const bytes = file.read(0, file.size)
    try {
      return decodeModel(bytes)
    } catch (cause) {
      throw unsound(path, `no protobuf message, or cut off (${(cause as Error).message})`, { cause })
    }
  } finally {
    file.close()
  }
}

function toAttribute(path: string, node: string, attribute: AttributeProto): OnnxAttribute | undefined {
  switch (attribute.type) {
    case 1: return attribute.f
    case 2: return toNumber(attribute.i)
    case 3: return Buffer.from(attribute.s).toString('utf8')
    case 4: return attribute.t ? toTensor(path, attribute.t, `${node}.${attribute.name}`) : undefined
    case 6: return attribute.floats
    case 7: return attribute.ints.map(toNumber)
    case 8: return attribute.strings.map(text => Buffer.from(text).toString('utf8'))
    default: return undefined
  }
} // prettier-ignore

/** Converts a tensor. Its size is checked now, its values are decoded when they are read. */
function toTensor(path: string, proto: TensorProto, name: string): SourceTensor {
  const shape = proto.dims.map(toNumber)
  const dtype = DTYPES[proto.dataType] ?? `type ${proto.dataType}`
  const elements = elementsOf(shape)
  if (!shape.every(n => Number.isSafeInteger(n) && n >= 0) || !Number.isSafeInteger(elements)) {
    throw unsound(path, `${name} has the shape ${shapeText(shape)}`)
  }
  const size = bytesOfDtype(dtype)
  if (size === undefined) {
    // Tensors of other types, such as strings, have a name but cannot be read as weights.
    return {
      name,
      shape,
      dtype,
      read: () => Promise.reject(unsound(path, `${name} is of ${dtype}, which is not read`)),
    }
  }
  const read =
    proto.dataLocation === EXTERNAL
      ? externalReader(path, proto, name, elements * size)
      : proto.rawData.length > 0
        ? (): Uint8Array<ArrayBuffer> => aligned(proto.rawData)
        : undefined
  if (read) {
    if (proto.dataLocation !== EXTERNAL && proto.rawData.length !== elements * size) {
      throw unsound(path, `${name}: ${proto.rawData.length} bytes do not fit ${dtype} of shape ${shapeText(shape)}`)
    }
    return {
      name,
      shape,
      dtype,
      read: () => new Promise(resolve => resolve(decodeValues(dtype, read()))),
    }
  }
  const values = fieldOf(proto, dtype)
  if (values.length !== elements) {
    throw unsound(path, `${name}: ${values.length} values do not fit the shape ${shapeText(shape)}`)
  }
  const bits = dtype === 'F16' || dtype === 'BF16'
  return {
    name,
    shape,
    dtype,
    read: () =>
      Promise.resolve(
        bits
          ? decodeValues(dtype, new Uint8Array(Uint16Array.from(values as number[]).buffer))
          : Float32Array.from(values, toNumber),
      ),
  }
}

/** The field that holds values of a type if they are not in raw_data. */
function fieldOf(proto: TensorProto, dtype: string): readonly Int64[] {
  switch (dtype) {
    case 'F32': return proto.floatData
    case 'F64': return proto.doubleData
    case 'I64': return proto.int64Data
    case 'U64': case 'U32': return proto.uint64Data
    default: return proto.int32Data
  }
} // prettier-ignore

function externalReader(path: string, proto: TensorProto, name: string, bytes: number): () => Uint8Array<ArrayBuffer> {
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]))
  const location = entries.get('location') ?? ''
  const offset = Number(entries.get('offset') ?? 0)
  const length = Number(entries.get('length') ?? bytes)
  if (location === '' || location !== basename(location) || location === '..' || location.includes('\\')) {
    throw unsound(path, `${name} is in ${JSON.stringify(location)}, which is no file beside it`)
  }
  if (!Number.isSafeInteger(offset) || offset < 0 || length !== bytes) {
    throw unsound(path, `${name}: ${length} bytes at ${offset} of ${location} do not fit its shape`)
  }
  return () => {
    const file = new RandomAccessFile(join(dirname(path), location))
    try {
      return file.read(offset, bytes)
    } finally {
      file.close()
    }
  }
}

function unsound(path: string, reason: string, options?: ErrorOptions): ModelFormatError {
  return new ModelFormatError(`${path}: not a valid ONNX file: ${reason}`, { path, reason }, options)
}
