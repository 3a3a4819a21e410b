// Fuzzes the bytes of a wav file, which are read as `readAudio` does.

const { openSource } = require('../../dist/lib/audio/source.js')
const { readWavBlocks, readWavHeader } = require('../../dist/lib/audio/wav-reader.js')
const { expectOurs } = require('./expected.cjs')

exports.fuzz = data => {
  const reader = openSource({ bytes: new Uint8Array(data) })
  try {
    const header = readWavHeader(reader)
    let frames = 0
    for (const block of readWavBlocks(reader, header, 4096)) frames += block.length
    if (frames !== header.frames) throw new Error(`${frames} frames, where the header promised ${header.frames}`)
  } catch (error) {
    expectOurs(error)
  } finally {
    reader.close()
  }
}
