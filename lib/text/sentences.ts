/*
 * Where sentences end: apart from the text front end and its dictionaries, for what only writes and cuts.
 */

const CLOSERS = `["”’」』)]`
// After 。！？…; after ! and ? unless something is glued to them (the ? of an address); after a full stop before a space; after line breaks.
const SENTENCE_END = new RegExp(
  `(?<=[。！？…]${CLOSERS}*)(?!${CLOSERS}|[。！？…!?.])|(?<=[!?]${CLOSERS}*)(?!${CLOSERS}|[\\w。！？…!?.=&/%])|` +
    `(?<=\\.${CLOSERS}*)(?=\\s)|(?<=[\\r\\n])(?![\\r\\n])`,
  'u',
)
/** What ends no sentence though a full stop ends it: abbreviations, initials, and the numbers of a list. */
const NO_SENTENCE = /(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|e\.g|i\.e|No)|\b[A-Z]|^\s*\d{1,3})\.$/

/** A text as its sentences, each with the space around it: joined they are the text. */
export function sentencePieces(text: string): string[] {
  const pieces: string[] = []
  for (const part of text.split(SENTENCE_END)) {
    const last = pieces.at(-1)
    if (last !== undefined && (NO_SENTENCE.test(last) || !part.trim())) pieces[pieces.length - 1] = last + part
    else pieces.push(part)
  }
  return pieces
}

/** Sentences end at 。！？ and line breaks, and at .!? before a space. */
export function splitSentences(text: string): string[] {
  return sentencePieces(text)
    .map(piece => piece.trim())
    .filter(piece => piece !== '')
}
