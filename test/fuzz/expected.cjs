// What a fuzz target may throw: errors of ours that blame the input. Anything else is a finding.

const { MossSpeechError } = require('../../dist/lib/errors.js')

/** Rethrows what is no answer to bad input. */
function expectOurs(error) {
  if (!(error instanceof MossSpeechError) || error.code === 'MOSS_INTERNAL') throw error
}

exports.expectOurs = expectOurs
