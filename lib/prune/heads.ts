import { InvalidArgumentError, ModelFormatError, UnsupportedError } from '../errors.js'
import type { GgufFile } from '../convert/gguf.js'
import type { GgufWriter } from '../convert/gguf-writer.js'

/* The attention heads in a file: where they are, which of them are removed, and the keys with their numbers. */

/** The networks that heads are removed from. */
export type PrunableComponent = 'encoder' | 'lm'

export const PRUNABLE: readonly PrunableComponent[] = ['encoder', 'lm']

/**
 * The heads of a block. The unit of removal is a key/value head with its query heads; in an encoder that is a single
 * head.
 */
export interface HeadBlock {
  /** The prefix of its tensors: `encoder.blk.0`, `blk.3`, `audio.blk.0`. */
  readonly name: string
  readonly heads: number
  readonly kvHeads: number
  /** The number of channels of a head. */
  readonly size: number
}

interface HeadKeys {
  blocks: string[]
  width: string
  heads: string
  kvHeads: string | undefined
  /** The first key is read, all are written. */
  size: string[]
}

/** Undefined if the file has no such network. */
function keysOf(file: GgufFile, component: PrunableComponent): HeadKeys | undefined {
  const architecture = file.text('general.architecture')
  const counted = (prefix: string, count: unknown): string[] =>
    Array.from({ length: Number(count) || 0 }, (_, i) => `${prefix}blk.${i}`)
  if (architecture === 'moss-speech') {
    const own = `moss-speech.${component}.`
    const value = (field: string): unknown => file.metadata.get(own + field)?.value
    if (value('head_count') === undefined) return undefined
    const blocks =
      component === 'encoder'
        ? counted('encoder.', value('block_count'))
        : ['', 'text.', 'audio.'].flatMap((p, i) =>
            counted(p, value(['shared_block_count', 'text_block_count', 'audio_block_count'][i] ?? '')),
          )
    const kvHeads = component === 'lm' ? `${own}head_count_kv` : undefined
    return { blocks, width: `${own}embedding_length`, heads: `${own}head_count`, kvHeads, size: [`${own}key_length`] }
  }
  if (component === 'encoder') return undefined
  const own = `${architecture}.attention.`
  return {
    blocks: counted('', file.metadata.get(`${architecture}.block_count`)?.value),
    width: `${architecture}.embedding_length`,
    heads: `${own}head_count`,
    kvHeads: `${own}head_count_kv`,
    size: [`${own}key_length`, `${own}value_length`],
  }
}

/**
 * The heads of a network by block; undefined if the file has no such network. The native part has already checked the
 * keys of the file.
 */
export function headBlocks(file: GgufFile, component: PrunableComponent): HeadBlock[] | undefined {
  const keys = keysOf(file, component)
  if (!keys) return undefined
  const { blocks } = keys
  const heads = counts(file, keys.heads, blocks.length)
  const kvHeads = keys.kvHeads && file.metadata.has(keys.kvHeads) ? counts(file, keys.kvHeads, blocks.length) : heads
  const [width = 0] = counts(file, keys.width, 1)
  const size = keys.size
    .filter(key => file.metadata.has(key))
    .map(key => counts(file, key, 1)[0] ?? 0)
    .concat(width / (heads[0] ?? 1))[0]
  return blocks.map((name, i) => ({ name, heads: heads[i] ?? 0, kvHeads: kvHeads[i] ?? 0, size: size ?? 0 }))
}

/** Reads one number for each of `count` blocks: an array, or one number for all. */
function counts(file: GgufFile, key: string, count: number): number[] {
  const value = file.metadata.get(key)?.value
  const all: readonly unknown[] = Array.isArray(value) ? value : Array.from({ length: count }, () => value)
  const numbers = all.filter(n => typeof n === 'number')
  if (numbers.length === count) return numbers
  throw new ModelFormatError(`${key}: expected an integer, or ${count} of them`, { name: key })
}

/** Sets the keys with the numbers of heads: one number if all blocks have the same, otherwise one for each block. */
export function setHeadCounts(
  file: GgufFile,
  writer: GgufWriter,
  component: PrunableComponent,
  blocks: readonly HeadBlock[],
): void {
  const keys = keysOf(file, component)
  if (!keys) return
  const set = (key: string, numbers: readonly number[]): void => {
    writer.set(key, new Set(numbers).size === 1 ? (numbers[0] ?? 0) : [...numbers], 'u32')
  }
  set(
    keys.heads,
    blocks.map(block => block.heads),
  )
  if (keys.kvHeads) {
    set(
      keys.kvHeads,
      blocks.map(block => block.kvHeads),
    )
  }
  for (const key of keys.size) set(key, [blocks[0]?.size ?? 0])
}

/** How many heads to remove: a share of all, above 0 and below 1, or a number. */
export type HeadAmount = { share: number } | { count: number }

/** The heads of a block to keep and to remove. */
export interface Choice {
  readonly block: HeadBlock
  /** Indices of key/value heads. */
  readonly removed: readonly number[]
  readonly kept: readonly number[]
}

/**
 * Chooses the heads that contribute least in the whole network; every block keeps at least one. With `even`, every
 * block keeps the same number, its own best.
 *
 * @param contributions - for each block, those of its key/value heads
 * @throws {@link InvalidArgumentError} the amount is less than one head, or more than may be removed
 */
export function chooseHeads(
  blocks: readonly HeadBlock[],
  contributions: ReadonlyMap<string, readonly number[]>,
  amount: HeadAmount,
  even: boolean,
): Choice[] {
  const total = blocks.reduce((sum, { kvHeads }) => sum + kvHeads, 0)
  const asked = 'count' in amount ? amount.count : Math.round(amount.share * total)
  const ranked = blocks.map(block => rank(block, contributions.get(block.name) ?? []))
  const removed = even ? evenly(ranked, total, asked) : globally(ranked, total, asked)
  return blocks.map((block, i) => {
    const gone = [...(removed[i] ?? [])].sort((a, b) => a - b)
    const kept = Array.from({ length: block.kvHeads }, (_, head) => head).filter(head => !gone.includes(head))
    return { block, removed: gone, kept }
  })
}

interface Ranked {
  head: number
  contribution: number
}

/** The key/value heads of a block, those that contribute least first. */
function rank(block: HeadBlock, contributions: readonly number[]): Ranked[] {
  if (contributions.length !== block.kvHeads) throw new Error(`${block.name} was not measured`)
  return contributions
    .map((contribution, head) => ({ head, contribution }))
    .sort((a, b) => a.contribution - b.contribution)
}

const NONE_TO_REMOVE = 'every block has a single head, or a single one for keys and values: there is none to remove'

const refuse = (reason: string, details: object): never => {
  throw new InvalidArgumentError(`heads: ${reason}`, { option: 'heads', ...details })
}

function globally(ranked: readonly Ranked[][], total: number, asked: number): number[][] {
  const free = total - ranked.length
  if (free === 0) throw new UnsupportedError(NONE_TO_REMOVE)
  if (asked < 1) refuse(`that is less than one of ${total}`, { total })
  if (asked > free) refuse(`at most ${free} of ${total} can be removed, for a block keeps one`, { total, most: free })
  const candidates = ranked.flatMap((heads, i) => heads.slice(0, -1).map(entry => ({ ...entry, i })))
  candidates.sort((a, b) => a.contribution - b.contribution)
  const gone = candidates.slice(0, asked)
  return ranked.map((_, i) => gone.filter(entry => entry.i === i).map(({ head }) => head))
}

function evenly(ranked: readonly Ranked[][], total: number, asked: number): number[][] {
  const blocks = ranked.length
  const kept = Math.ceil((total - asked) / blocks) // never removes more than requested
  const most = Math.min(...ranked.map(heads => heads.length), Math.floor((total - 1) / blocks))
  if (most < 1) throw new UnsupportedError(NONE_TO_REMOVE)
  if (kept < 1) refuse('a block keeps one', { total, most: total - blocks })
  if (kept > most) {
    const least = total - most * blocks
    refuse(`to leave every block as many takes at least ${least} of ${total}`, { total, least })
  }
  return ranked.map(heads => heads.slice(0, heads.length - kept).map(({ head }) => head))
}
