/*
 * Byte-pair encoding over a large vocabulary in little memory: what @huggingface/tokenizers computes, whose tables of strings take
 * 150 MB of Qwen3's 152,000 tokens and as many merges. Here a merge is four integers.
 */

export interface BpeOptions {
  /** Words that are tokens are not taken apart and merged. */
  ignoreMerges?: boolean
  /** What is no token is written byte by byte, as `<0xE4>`. */
  byteFallback?: boolean
  /** The token of what is none; without it such text is left out. */
  unknown?: string | undefined
}

/** What a `Tokenizer` of @huggingface/tokenizers asks of its model. */
export interface TokenizerModel {
  (words: readonly string[]): string[]
  tokens_to_ids: Pick<ReadonlyMap<string, number>, 'get' | 'has'>
  vocab: readonly string[]
  unk_token: string | undefined
  unk_token_id: number | undefined
}

/**
 * @param tokens - by their ids; the first of equal ones counts
 * @param merges - pairs, or two pieces and a space between them; the first one is made first
 */
export function bpeModel(
  tokens: readonly string[],
  merges: readonly (string | readonly [string, string])[],
  { ignoreMerges = false, byteFallback = false, unknown }: BpeOptions,
): TokenizerModel {
  const pieces = new Pieces(tokens)
  const table = new Merges(merges.length)
  for (const [rank, merge] of merges.entries()) {
    const space = typeof merge === 'string' ? merge.indexOf(' ', 1) : 0
    const [left, right] = typeof merge === 'string' ? [merge.slice(0, space), merge.slice(space + 1)] : merge
    table.set(pieces.add(left), pieces.add(right), rank, pieces.add(left + right))
  }
  const encoder = new TextEncoder()

  /** What stands for a piece. */
  function tokensOf(piece: string): readonly string[] {
    if (pieces.has(piece)) return [piece]
    if (byteFallback) {
      const hex = (byte: number): string => byte.toString(16).toUpperCase().padStart(2, '0')
      const bytes = Array.from(encoder.encode(piece), byte => `<0x${hex(byte)}>`)
      if (bytes.every(byte => pieces.has(byte))) return bytes
    }
    return unknown === undefined ? [] : [unknown]
  }

  const encode = (words: readonly string[]): string[] =>
    words.flatMap(word =>
      ignoreMerges && pieces.has(word) ? [word] : merged(word, pieces, table).flatMap(piece => tokensOf(piece)),
    )
  const unk_token_id = unknown === undefined ? undefined : pieces.get(unknown)
  return Object.assign(encode, { tokens_to_ids: pieces, vocab: tokens, unk_token: unknown, unk_token_id })
}

/** Of a hash table with open addressing: a power of two, at most two thirds of which are taken. */
const tableSize = (count: number): number => 2 ** Math.ceil(Math.log2(1.5 * count + 1))

/** Numbers of pieces: tokens have their ids, and what merges join or make that is no token has numbers beyond these. */
class Pieces {
  /** Ids, in a hash table of their texts: a Map takes ten times as much, and twice that while it grows. */
  readonly #table: Int32Array
  readonly #others = new Map<string, number>()
  readonly #texts: string[] = []

  constructor(private readonly tokens: readonly string[]) {
    this.#table = new Int32Array(tableSize(tokens.length)).fill(-1)
    for (const [id, token] of tokens.entries()) {
      const row = this.#row(token)
      if (this.#table[row] === -1) this.#table[row] = id
    }
  }

  /** The number of any piece. */
  add(piece: string): number {
    const known = this.number(piece)
    if (known >= 0) return known
    const added = this.tokens.length + this.#texts.push(piece) - 1
    this.#others.set(piece, added)
    return added
  }

  /** -1: it takes part in no merge. */
  number(piece: string): number {
    return this.get(piece) ?? this.#others.get(piece) ?? -1
  }

  text(number: number): string | undefined {
    return this.tokens[number] ?? this.#texts[number - this.tokens.length]
  }

  /** The id of a token. */
  get(token: string): number | undefined {
    const id = this.#table[this.#row(token)]
    return id === -1 ? undefined : id
  }

  has(token: string): boolean {
    return this.get(token) !== undefined
  }

  /** Its row, or the one where it would stand. */
  #row(token: string): number {
    const mask = this.#table.length - 1
    let hash = 0
    for (let i = 0; i < token.length; i++) hash = Math.imul(hash ^ token.charCodeAt(i), 0x01000193)
    let row = (hash ^ (hash >>> 15)) & mask
    for (let id = this.#table[row] ?? -1; id !== -1 && this.tokens[id] !== token; id = this.#table[row] ?? -1) {
      row = (row + 1) & mask
    }
    return row
  }
}

/** A hash table of pairs of pieces. */
class Merges {
  readonly #mask: number
  readonly #left: Int32Array
  readonly #right: Int32Array
  readonly ranks: Int32Array
  readonly results: Int32Array

  constructor(count: number) {
    const size = tableSize(count)
    this.#mask = size - 1
    const column = (): Int32Array => new Int32Array(size)
    this.#left = column().fill(-1)
    ;[this.#right, this.ranks, this.results] = [column(), column(), column()]
  }

  /** Of equal pairs the last one counts. */
  set(left: number, right: number, rank: number, result: number): void {
    const row = this.#row(left, right)
    this.#left[row] = left
    this.#right[row] = right
    this.ranks[row] = rank
    this.results[row] = result
  }

  /** Its row; -1: the pair is not merged. */
  find(left: number, right: number): number {
    const row = this.#row(left, right)
    return left >= 0 && this.#left[row] === left ? row : -1
  }

  #row(left: number, right: number): number {
    const hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)
    let row = (hash ^ (hash >>> 15)) & this.#mask
    while (this.#left[row] !== -1 && (this.#left[row] !== left || this.#right[row] !== right)) {
      row = (row + 1) & this.#mask
    }
    return row
  }
}

/** More than any text has letters; times any rank it is still exact. */
const PLACES = 2 ** 27

/** The pieces of a word: of all neighbours that can be merged the pair of the lowest rank is, the leftmost first. */
function merged(word: string, pieces: Pieces, merges: Merges): string[] {
  const letters = [...word]
  const piece = Int32Array.from(letters, letter => pieces.number(letter))
  const next = Int32Array.from(letters, (_, i) => i + 1)
  const previous = Int32Array.from(letters, (_, i) => i - 1)
  const end = letters.length
  const found = (place: number): number => {
    const after = next[place] ?? end
    return after < end ? merges.find(piece[place] ?? -1, piece[after] ?? -1) : -1
  }
  const queue = new Queue()
  const consider = (place: number): void => {
    const row = place >= 0 ? found(place) : -1
    if (row >= 0) queue.push((merges.ranks[row] ?? 0) * PLACES + place)
  }
  for (let place = 0; place < end; place++) consider(place)
  for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
    const place = key % PLACES
    const row = found(place)
    // What stood there has been merged since.
    if (row < 0 || (merges.ranks[row] ?? 0) * PLACES + place !== key) continue
    const after = next[place] ?? end
    const beyond = next[after] ?? end
    piece[place] = merges.results[row] ?? -1
    piece[after] = -1
    next[place] = beyond
    if (beyond < end) previous[beyond] = place
    consider(previous[place] ?? -1)
    consider(place)
  }
  const out: string[] = []
  for (let place = 0; place < end; place = next[place] ?? end) {
    out.push(pieces.text(piece[place] ?? -1) ?? letters[place] ?? '')
  }
  return out
}

/** Numbers, the smallest first: a binary heap. */
class Queue {
  readonly #heap: number[] = []

  push(key: number): void {
    const heap = this.#heap
    let at = heap.push(key) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] ?? 0
      if (above <= key) break
      heap[at] = above
      at = parent
    }
    heap[at] = key
  }

  pop(): number | undefined {
    const heap = this.#heap
    const top = heap[0]
    const key = heap.pop()
    if (key === undefined || heap.length === 0) return top
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if ((heap[child + 1] ?? Infinity) < (heap[child] ?? 0)) child++
      const below = heap[child] ?? 0
      if (below >= key) break
      heap[at] = below
      at = child
    }
    heap[at] = key
    return top
  }
}
