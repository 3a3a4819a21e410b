import { loadAddon } from '../binding.js'
import type { RandomAccessFile } from './files.js'
import type { SourceTensor } from './tensor.js'
import { blockSize, bytesOf, type TensorType } from './weight-types.js'

/** How many values are converted in one native call, so that its copies stay small compared to a large tensor. */
const SLAB = 1 << 22

/** A tensor of a GGUF file. Its shape is in PyTorch's order, the reverse of ggml's. */
export class GgufTensor implements SourceTensor {
  readonly dtype: string
  constructor(
    private readonly file: RandomAccessFile,
    readonly name: string,
    readonly shape: readonly number[],
    readonly type: TensorType,
    /** The offset of the data in the file. */
    readonly position: number,
    readonly bytes: number,
  ) {
    this.dtype = type.toUpperCase()
  }

  /** The bytes of the tensor as they are in the file. */
  readBytes(): Uint8Array {
    return this.file.read(this.position, this.bytes)
  }

  readAs(type: TensorType): Uint8Array | undefined {
    return type === this.type ? this.readBytes() : undefined
  }

  async read(): Promise<Float32Array> {
    const elements = (this.bytes / bytesOf(this.type, blockSize(this.type))) * blockSize(this.type)
    const values = new Float32Array(elements)
    for (let first = 0; first < elements; first += SLAB) {
      const count = Math.min(SLAB, elements - first) // whole blocks: SLAB is a multiple of every block size
      const data = this.file.read(this.position + bytesOf(this.type, first), bytesOf(this.type, count))
      values.set(await loadAddon().dequantize(this.type, data), first)
    }
    return values
  }
}
