/* Where sentences end. Separate from the text front end, so that it can be used without loading dictionaries. */

const CLOSERS = `["”’」』)]`
// After 。！？…; after ! and ? unless a character follows directly (the ? of an address); after a full stop before a
// space; after line breaks.
const SENTENCE_END = new RegExp(
  `(?<=[。！？…]${CLOSERS}*)(?!${CLOSERS}|[。！？…!?.])|(?<=[!?]${CLOSERS}*)(?!${CLOSERS}|[\\w。！？…!?.=&/%])|` +
    `(?<=\\.${CLOSERS}*)(?=\\s)|(?<=[\\r\\n])(?![\\r\\n])`,
  'u',
)
/**
 * Words whose full stop never ends a sentence: abbreviations before names, words or numbers; initials; the numbers of a
 * list.
 */
const NEVER =
  /(?:\b(?:Mr|Mrs|Ms|Messrs|Dr|Prof|Gen|Col|Capt|Lt|Sgt|Cpl|Maj|Adm|Sen|Rep|Gov|Rev|Hon|Mt|Ft|vs|e\.g|i\.e|approx|cf|viz|al)|\b(?<!\.)[A-HJ-Z]|^\s*\d{1,3})\.$/
/** Words whose full stop does not end a sentence if a number follows. */
const BEFORE_NUMBERS =
  /\b(?:No|Nos|Nr|fig|figs|p|pp|ch|vol|sec|eq|art|ext|ca|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec|Mon|Tues?|Wed|Thurs?|Fri|Sat|Sun)\.$/i
/**
 * Abbreviations whose full stop may end a sentence: it does if a word follows that often begins sentences; after an
 * hour, if any capitalized word follows except the name of a time.
 */
const MAYBE = /(?:\b(?:St|Ave|Blvd|Rd|Jr|Sr|Inc|Ltd|Corp|Co|Bros|Dept|Univ|etc|Ph\.D|M\.D)|\b(?:[A-Z]\.)+[A-Z])\.$/
const HOUR = /\d\s?[ap]\.m\.$/i
const STARTER =
  /^\s*["'“‘(]*(?:I|I'm|It|It's|He|He's|She|She's|We|We're|They|They're|You|You're|The|A|An|This|That|That's|These|Those|There|Here|What|When|Where|Who|Why|How|If|In|On|At|But|And|Or|So|Then|Now|For|From|As|My|Your|His|Her|Our|Their|Its|Is|Are|Was|Do|Does|Did|Can|Will|Let|Please|Yes|No|Not|After|Before|Because|Since|While|Although|However|Still|Also|Once|With|To|Some|Many|Most|All|Both|One|Two)(?=[\s,'’])/
const OF_TIME =
  /^\s*(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|[A-Z]{2,4}\b|(?:Eastern|Central|Mountain|Pacific|Greenwich)\b)/

/** Whether a piece that ends with a full stop continues in the next one. */
function goesOn(piece: string, next: string): boolean {
  const text = piece.trimEnd()
  // "Stop!" she said.
  if (/[!?]["”’)]+$/.test(text)) return /^\s+\p{Ll}/u.test(next)
  if (!text.endsWith('.') || /[\r\n]/.test(piece.slice(text.length))) return false
  if (NEVER.test(text)) return true
  if (BEFORE_NUMBERS.test(text)) return /^\s*(?:\d|[IVXLC]+\b)/.test(next)
  if (HOUR.test(text)) return !/^\s*["'“‘(]*[A-Z]/.test(next) || OF_TIME.test(next)
  return MAYBE.test(text) && !STARTER.test(next)
}

/** Letters, digits, and the marks for words in Unicode's private use area (marks.ts). */
const HAS_WORDS = /[\p{L}\p{N}\p{Co}]/u

/** Splits a text into sentences that keep the space around them, so that joined they are the text again. */
export function sentencePieces(text: string): string[] {
  const pieces: string[] = []
  for (const part of text.split(SENTENCE_END)) {
    const last = pieces.at(-1)
    if (last !== undefined && (!part.trim() || goesOn(last, part))) pieces[pieces.length - 1] = last + part
    else pieces.push(part)
  }
  return pieces
}

/**
 * Splits a text into sentences. They end at 。！？ and line breaks, and at .!? before a space. Pieces without words are
 * left out.
 */
export function splitSentences(text: string): string[] {
  return sentencePieces(text)
    .map(piece => piece.trim())
    .filter(piece => HAS_WORDS.test(piece))
}
