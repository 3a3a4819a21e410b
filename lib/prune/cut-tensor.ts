import type { GgufTensor } from '../convert/gguf-tensor.js'
import { elementsOf, type SourceTensor } from '../convert/tensor.js'
import { blockSize, bytesOf, type TensorType } from '../convert/weight-types.js'

/** A range of indices along a dimension. */
export type Run = readonly [begin: number, end: number]

/**
 * A tensor reduced to some ranges along one dimension. If the ranges are whole blocks of its type, its bytes are copied
 * without rounding.
 */
export class CutTensor implements SourceTensor {
  readonly shape: readonly number[]
  readonly #runs: Run[]
  readonly #outer: number
  readonly #length: number

  /**
   * @param dimension - of the shape in PyTorch's order
   * @param runs - ascending
   */
  constructor(
    private readonly source: GgufTensor,
    dimension: number,
    runs: readonly Run[],
  ) {
    const { shape } = source
    const inner = elementsOf(shape.slice(dimension + 1))
    this.#outer = elementsOf(shape.slice(0, dimension))
    this.#length = (shape[dimension] ?? 0) * inner
    this.#runs = runs.map(([begin, end]) => [begin * inner, end * inner])
    const left = runs.reduce((sum, [begin, end]) => sum + end - begin, 0)
    this.shape = shape.map((n, d) => (d === dimension ? left : n))
  }

  get name(): string {
    return this.source.name
  }

  get dtype(): string {
    return this.source.dtype
  }

  /** Whether all ranges are whole blocks. */
  get whole(): boolean {
    const block = blockSize(this.source.type)
    return this.#runs.every(([begin, end]) => begin % block === 0 && end % block === 0)
  }

  readAs(type: TensorType): Uint8Array | undefined {
    if (type !== this.source.type || !this.whole) return undefined
    const size = (elements: number): number => bytesOf(type, elements)
    return this.#cut(this.source.readBytes(), new Uint8Array(size(elementsOf(this.shape))), size)
  }

  async read(): Promise<Float32Array> {
    return this.#cut(await this.source.read(), new Float32Array(elementsOf(this.shape)), elements => elements)
  }

  /** @param size - converts a number of elements to a number of items in `from` and `to` */
  #cut<T extends Uint8Array | Float32Array>(from: T, to: T, size: (elements: number) => number): T {
    let position = 0
    for (let row = 0; row < this.#outer; row++) {
      for (const [begin, end] of this.#runs) {
        const part = from.subarray(size(row * this.#length + begin), size(row * this.#length + end))
        to.set(part, position)
        position += part.length
      }
    }
    return to
  }
}
