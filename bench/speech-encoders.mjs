/*
 * wav2vec2 models of the base and large shapes with random weights, for the benchmarks: a checkpoint of transformers,
 * and its conversion to GGUF.
 */
import { convert } from 'moss-speech-native'
import { cached, Peer } from './harness.mjs'

export const SIZES = ['base', 'large']

/**
 * The folder of a checkpoint with its exports for onnxruntime in FP32 and INT8 (peers/encoder.py). It takes 1 GB for
 * base, 3 GB for large.
 */
export function checkpoint(size) {
  return cached(`wav2vec2-${size}`, async folder => {
    const peer = Peer.python('encoder.py')
    try {
      await peer.ask({ make: folder, size })
    } finally {
      await peer.end()
    }
  })
}

/** The path of the converted checkpoint. */
export function encoder(size, type) {
  return cached(`wav2vec2-${size}-${type}.gguf`, async path => convert(await checkpoint(size), path, { type }))
}
