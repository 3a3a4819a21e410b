/** The bytes of a value by the name of its type in safetensors. */
const BYTES: Readonly<Record<string, number>> = {
  F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U64: 8, U32: 4, U16: 2, U8: 1, BOOL: 1,
} // prettier-ignore

export const DTYPES = Object.keys(BYTES)

/** The bytes of a value; undefined for an unsupported type. */
export const bytesOfDtype = (dtype: string): number | undefined =>
  Object.hasOwn(BYTES, dtype) ? BYTES[dtype] : undefined

let halves: Float32Array | undefined

/** The values of all 65536 half-precision floats, indexed by their bits. */
function halfTable(): Float32Array {
  return (halves ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >> 10) & 31
    const mantissa = bits & 1023
    if (exponent === 31) return mantissa ? NaN : sign * Infinity
    return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15))
  }))
}

/**
 * Converts little-endian values of a type of {@link DTYPES} to floats.
 *
 * @param bytes - whole values, aligned in their buffer to the size of a value
 */
export function decodeValues(dtype: string, bytes: Uint8Array<ArrayBuffer>): Float32Array {
  const { buffer, byteOffset } = bytes
  const count = bytes.length / (bytesOfDtype(dtype) ?? 1)
  const from = <T>(View: new (buffer: ArrayBuffer, offset: number, length: number) => T): T =>
    new View(buffer, byteOffset, count)
  switch (dtype) {
    case 'F32': return from(Float32Array)
    case 'F64': return Float32Array.from(from(Float64Array))
    case 'F16': {
      const table = halfTable()
      return Float32Array.from(from(Uint16Array), bits => table[bits] ?? 0)
    }
    case 'BF16': {
      const values = new Float32Array(count)
      const bits = new Uint32Array(values.buffer)
      from(Uint16Array).forEach((value, i) => (bits[i] = value << 16))
      return values
    }
    case 'I64': return Float32Array.from(from(BigInt64Array), Number)
    case 'U64': return Float32Array.from(from(BigUint64Array), Number)
    case 'I32': return Float32Array.from(from(Int32Array))
    case 'U32': return Float32Array.from(from(Uint32Array))
    case 'I16': return Float32Array.from(from(Int16Array))
    case 'U16': return Float32Array.from(from(Uint16Array))
    case 'I8': return Float32Array.from(from(Int8Array))
    default: return Float32Array.from(bytes) // U8, BOOL
  }
} // prettier-ignore

/** A copy that is aligned for every type. */
export function aligned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes.length)
  copy.set(bytes)
  return copy
}
