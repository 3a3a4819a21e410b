// The errors that a fuzz target may throw: those of this package that blame the input. Anything else is a finding.

const { MossSpeechError } = require('../../dist/lib/errors.js')

/** Rethrows every other error. */
function expectOurs(error) {
  if (!(error instanceof MossSpeechError) || error.code === 'MOSS_INTERNAL') throw error
}

exports.expectOurs = expectOurs
