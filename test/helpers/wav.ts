// Generated wav files, of which the tests know every sample.

/** How samples are stored; `format` and `bits` are fields of the fmt chunk. */
export interface WavSpec {
  format?: number
  bits?: number
  channels?: number
  sampleRate?: number
  /** Writes WAVE_FORMAT_EXTENSIBLE. */
  extensible?: boolean
  bigEndian?: boolean
  /** The size in the data chunk's header, if it is to be wrong. */
  declaredBytes?: number
  /** Chunks before the data chunk: tag and bytes. */
  extra?: [string, Buffer][]
}

/** ITU-T G.711 µ-law of a sample in [-1, 1]. */
function muLaw(sample: number): number {
  let s = Math.round(sample * 0x7fff)
  const sign = s < 0 ? 0x80 : 0
  s = Math.min(32635, Math.abs(s)) + 0x84
  const exponent = Math.floor(Math.log2(s)) - 7
  return ~(sign | (exponent << 4) | ((s >> (exponent + 3)) & 15)) & 0xff
}

/** ITU-T G.711 A-law of a sample in [-1, 1]. */
function aLaw(sample: number): number {
  let s = Math.round(sample * 0x7fff)
  const sign = s >= 0 ? 0x80 : 0
  s = Math.min(32767, Math.abs(s)) >> 3
  const exponent = s > 31 ? Math.floor(Math.log2(s)) - 4 : 0
  const mantissa = exponent > 0 ? (s >> exponent) & 15 : (s >> 1) & 15
  return (sign | (exponent << 4) | mantissa) ^ 0x55
}

function writeSample(buffer: Buffer, offset: number, sample: number, format: number, bits: number, big: boolean): void {
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength)
  if (format === 6) view.setUint8(offset, aLaw(sample))
  else if (format === 7) view.setUint8(offset, muLaw(sample))
  else if (format === 3 && bits === 32) view.setFloat32(offset, sample, !big)
  else if (format === 3) view.setFloat64(offset, sample, !big)
  else if (bits === 8) view.setUint8(offset, Math.round(sample * 127 + 128))
  else if (bits === 16) view.setInt16(offset, Math.round(sample * 0x7fff), !big)
  else if (bits === 32) view.setInt32(offset, Math.round(sample * 0x7fffffff), !big)
  else {
    const value = Math.round(sample * 0x7fffff)
    const bytes = [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff]
    if (big) bytes.reverse()
    bytes.forEach((byte, i) => view.setUint8(offset + i, byte))
  }
}

/** A wav file whose channels all have the same samples. */
export function makeWav(samples: ArrayLike<number>, spec: WavSpec = {}): Buffer {
  const {
    format = 1,
    bits = 16,
    channels = 1,
    sampleRate = 16_000,
    extensible = false,
    bigEndian: big = false,
    extra = [],
  } = spec
  const bytes = bits / 8
  const data = Buffer.alloc(samples.length * channels * bytes)
  for (let i = 0; i < samples.length; i++) {
    for (let c = 0; c < channels; c++) writeSample(data, (i * channels + c) * bytes, samples[i] ?? 0, format, bits, big)
  }
  const u16 = (n: number): Buffer => {
    const b = Buffer.alloc(2)
    return big ? (b.writeUInt16BE(n), b) : (b.writeUInt16LE(n), b)
  }
  const u32 = (n: number): Buffer => {
    const b = Buffer.alloc(4)
    return big ? (b.writeUInt32BE(n), b) : (b.writeUInt32LE(n), b)
  }
  const chunk = (tag: string, body: Buffer, size = body.length): Buffer =>
    Buffer.concat([Buffer.from(tag, 'latin1'), u32(size), body, Buffer.alloc(body.length % 2)])
  const guid = Buffer.from('000000001000800000aa00389b71', 'hex')
  const fmt = Buffer.concat([
    u16(extensible ? 0xfffe : format), u16(channels), u32(sampleRate), u32(sampleRate * channels * bytes), u16(channels * bytes), u16(bits),
    ...(extensible ? [u16(22), u16(bits), u32(0), u16(format), guid] : []),
  ]) // prettier-ignore
  const body = Buffer.concat([
    Buffer.from('WAVE', 'latin1'),
    chunk('fmt ', fmt),
    ...extra.map(([tag, bytes]) => chunk(tag, bytes)),
    chunk('data', data, spec.declaredBytes ?? data.length),
  ])
  return Buffer.concat([Buffer.from(big ? 'RIFX' : 'RIFF', 'latin1'), u32(body.length), body])
}

/** A sine tone. */
export function sine(seconds: number, sampleRate = 16_000, hertz = 440, amplitude = 0.5): Float32Array {
  return Float32Array.from(
    { length: Math.round(seconds * sampleRate) },
    (_, i) => amplitude * Math.sin((2 * Math.PI * hertz * i) / sampleRate),
  )
}
