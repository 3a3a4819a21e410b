import { loadAddon } from '../binding.js'
import type { RandomAccessFile } from './files.js'
import type { SourceTensor } from './tensor.js'
import { blockSize, bytesOf, type TensorType } from './weight-types.js'

/** Values that are converted at a time: a native call's copies stay small beside a large tensor. */
const SLAB = 1 << 22

/** A tensor of a GGUF file. Its shape is PyTorch's: ggml's dimensions in reverse. */
export class GgufTensor implements SourceTensor {
  readonly dtype: string
  constructor(
    private readonly file: RandomAccessFile,
    readonly name: string,
    readonly shape: readonly number[],
    readonly type: TensorType,
    /** Of its data in the file. */
    readonly position: number,
    readonly bytes: number,
  ) {
    this.dtype = type.toUpperCase()
  }

  /** The values as the file has them. */
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
      const count = Math.min(SLAB, elements - first) // whole blocks: SLAB is a multiple of all
      const data = this.file.read(this.position + bytesOf(this.type, first), bytesOf(this.type, count))
      values.set(await loadAddon().dequantize(this.type, data), first)
    }
    return values
  }
}
