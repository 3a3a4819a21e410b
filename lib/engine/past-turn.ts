import type { NativePastTurn } from '../binding.js'
import { InvalidArgumentError } from '../errors.js'
import { idsOfUnits } from '../text/units.js'
import type { TextCodec } from './codec.js'
import type { Message, Turn } from './conversation.js'
import { isTone, sentencesOf, type SpeakingFile } from './speaking.js'

/** A turn that took place elsewhere, as the language model of a bundle reads it. */
export async function pastTurn(
  { user, assistant }: Turn,
  codec: TextCodec,
  file: SpeakingFile,
  signal: AbortSignal | undefined,
): Promise<NativePastTurn> {
  const textIds = await codec.encode(user.text ?? '')
  if (textIds.length === 0)
    throw new InvalidArgumentError(`the message ${JSON.stringify(user.text)} consists of control tokens only`, {
      option: 'history',
    })
  return {
    textIds,
    units: await unitsOf(assistant, file, signal),
    replyIds: await codec.encode(assistant.text ?? ''),
  }
}

/** The units of a reply. If they are not given, they are those with which the text is read aloud. */
async function unitsOf(
  { text = '', units }: Message,
  file: SpeakingFile,
  signal: AbortSignal | undefined,
): Promise<Int32Array | undefined> {
  if (units) return idsOfUnits(units.join(''), file.info.units)
  if (file.info.sampleRate === 0) return undefined
  try {
    const sentences = await sentencesOf({ text }, file, { phonemizer: 'auto', pronunciations: '' }, signal)
    const boundary = idsOfUnits(' ', file.info.units)
    const ids = sentences.flatMap(part => (isTone(part) ? [] : [...boundary, ...part.ids]))
    return Int32Array.from(ids.slice(boundary.length))
  } catch (thrown) {
    if (thrown instanceof InvalidArgumentError && thrown.details.option === 'text') return undefined // nothing to say
    throw thrown
  }
}
