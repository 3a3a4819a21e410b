// Fuzzes a tokenizer.json, as it may be in a model file, with which a text is encoded and decoded.

const { Buffer } = require('node:buffer')
const { decodeText, encodeText, freeTokenizer, loadTokenizer } = require('../../dist/lib/text/tokenizer.js')
const { expectOurs } = require('./expected.cjs')

exports.fuzz = data => {
  try {
    loadTokenizer(1, data.toString('utf8'))
    const ids = encodeText(1, 'Hello, 你好! <|im_end|> 12 3')
    decodeText(1, ids)
    decodeText(1, Int32Array.of(0, 1, 2 ** 31 - 1, -1))
  } catch (error) {
    expectOurs(error)
  } finally {
    freeTokenizer(1)
  }
}

/** A seed with some of its values, anywhere in the tree, replaced or removed. Changes of bytes seldom leave valid JSON. */
exports.more = (fc, seeds) => {
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom('BPE', 'Unigram', 'WordPiece', 'ByteLevel', 'Split', 'Sequence', 'Metaspace', '(?i:', '(a+)+$', 2 ** 53, -1),
  ) // prettier-ignore
  const change = fc.record({ path: fc.array(fc.nat(), { minLength: 1, maxLength: 5 }), value: fc.option(value) })
  return fc.tuple(fc.constantFrom(...seeds), fc.array(change, { minLength: 1, maxLength: 4 })).map(([seed, list]) => {
    const tree = JSON.parse(seed.toString('utf8'))
    for (const { path, value } of list) replace(tree, path, value)
    return Buffer.from(JSON.stringify(tree)).subarray(0, 1 << 16)
  })
}

/** Descends into a tree by the numbers of the path, as far as possible, and replaces the value there. */
function replace(tree, [number, ...rest], value) {
  const keys = Object.keys(tree)
  if (keys.length === 0) return
  const key = keys[number % keys.length]
  const below = tree[key]
  if (rest.length > 0 && typeof below === 'object' && below !== null) replace(below, rest, value)
  else if (value === null) delete tree[key]
  else tree[key] = value
}
