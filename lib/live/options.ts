import * as check from '../options.js'
import type { GenerateOptions } from '../options.js'
import { InvalidArgumentError } from '../errors.js'

/** Who decides that a turn of the user has ended. */
export type TurnDetection = 'auto' | 'vad' | 'manual'

/** How turns of the user begin and end. Times are in milliseconds. All options are optional. */
export interface TurnOptions {
  /**
   * `manual`: a turn ends with `commit()` (push-to-talk). `vad`: it ends when the voice activity network has heard no speech for `silence`.
   * `auto`, the default: it ends after `completeAfter` if it seems complete; the less it does, the later, at most after `silence`. Models that cannot tell
   * (`model.info().endpoint` is false) take turns as with `vad`, and {@link LiveSession.turnDetection} says so.
   */
  turnDetection?: TurnDetection
  /** Whether speech during a reply stops it. If false, what is said during a reply is not heard, unless turns end by `commit()`. Default true. */
  bargeIn?: boolean
  /**
   * A pause of this length ends a turn, 100–10,000. Speech that goes on sooner belongs to the same turn, unless the turn seemed complete.
   * Default 600, with `auto` 2000.
   */
  silence?: number
  /** With `auto`: after a silence of this length a turn that seems complete ends, 100–1000. Default 200. */
  completeAfter?: number
  /** With `auto`: the probability from which on a turn seems complete, 0–1. Higher: fewer turns are cut off, more of them wait. Default 0.8. */
  completeness?: number
  /** The probability at which the network's windows of 32 ms count as speech, 0.05–0.95. Speech lasts while it is above half of that. Default 0.4. */
  threshold?: number
  /** Speech that is shorter is taken for a click or a cough, 32–2000. Default 150. */
  minSpeech?: number
  /** Speech of this length stops a reply, 32–2000. Default 150. */
  interruptAfter?: number
  /**
   * The probability at which a window counts as speech that may stop a reply, 0.05–0.95: higher than `threshold`, because a reply that is
   * stopped by a noise is worse than one that is stopped a moment later. Default 0.6.
   */
  interruptThreshold?: number
  /**
   * How many vowels and consonants the encoder has to hear in what stops a reply, 0–20: laughter and coughs have few. 0 does not ask it. Only
   * of models whose file has a voice activity network too, as nano's. Default 3.
   */
  interruptSounds?: number
  /**
   * Whether to remove the sound of the player from what is written, so that a reply does not interrupt itself when loudspeakers are used.
   * {@link LiveSession.playing} has to be called then. Default false.
   */
  echoCancellation?: boolean
  /** How much of the audio before the speech belongs to the turn, 0–2000. Default 300. */
  preRoll?: number
  /** A turn that has become this long ends, 1000 to what the model can take. Default 30,000, or what the model can take. */
  maxTurn?: number
}

/**
 * Options of {@link Session.listen}: how turns begin and end, and how they are answered. `vad: false`, for `turnDetection: 'manual'`
 * only, answers everything between two calls of `commit()`, speech or not.
 */
export interface LiveOptions extends TurnOptions, GenerateOptions {}

export const TURN_OPTIONS = [
  'turnDetection',
  'bargeIn',
  'silence',
  'completeAfter',
  'completeness',
  'threshold',
  'minSpeech',
  'interruptAfter',
  'interruptThreshold',
  'interruptSounds',
  'echoCancellation',
  'preRoll',
  'maxTurn',
] as const

/** Checked options, with times in samples. */
export interface Turns {
  detection: TurnDetection
  bargeIn: boolean
  /** Whether the voice activity network is used. */
  detects: boolean
  silence: number
  completeAfter: number
  completeness: number
  threshold: number
  minSpeech: number
  interruptAfter: number
  interruptThreshold: number
  interruptSounds: number
  echoCancellation: boolean
  preRoll: number
  maxTurn: number
}

const DETECTIONS = ['auto', 'vad', 'manual'] as const
const SILENCE = { auto: 2000, vad: 600, manual: 600 }
const LONGEST_TURN = 30_000

/**
 * @param maxTurnSeconds - the longest turn that the model can take
 * @param endpoint - whether it can tell that a turn is complete
 */
export function checkTurns(o: LiveOptions, maxTurnSeconds: number, endpoint: boolean, sampleRate: number): Turns {
  const wanted = DETECTIONS[check.checkName('turnDetection', o.turnDetection, DETECTIONS) ?? 0] ?? 'auto'
  const detection = wanted === 'auto' && !endpoint ? 'vad' : wanted
  const detects = check.checkBoolean('vad', o.vad) ?? true
  if (detection !== 'manual' && !detects)
    throw new InvalidArgumentError("vad: false is for turnDetection: 'manual'; otherwise nothing would end a turn", {
      option: 'vad',
    })
  const samples = (ms: number): number => Math.round((ms / 1000) * sampleRate)
  const most = Math.max(1000, Math.floor(maxTurnSeconds * 1000))
  return {
    detection,
    detects,
    bargeIn: check.checkBoolean('bargeIn', o.bargeIn) ?? true,
    interruptThreshold: check.checkNumber('interruptThreshold', o.interruptThreshold, 0.05, 0.95) ?? 0.6,
    interruptSounds: check.checkInteger('interruptSounds', o.interruptSounds, 0, 20) ?? 3,
    echoCancellation: check.checkBoolean('echoCancellation', o.echoCancellation) ?? false,
    threshold: check.checkNumber('threshold', o.threshold, 0.05, 0.95) ?? 0.4,
    silence: samples(check.checkNumber('silence', o.silence, 100, 10_000) ?? SILENCE[detection]),
    completeAfter: samples(check.checkNumber('completeAfter', o.completeAfter, 100, 1000) ?? 200),
    completeness: check.checkNumber('completeness', o.completeness, 0, 1) ?? 0.8,
    minSpeech: samples(check.checkNumber('minSpeech', o.minSpeech, 32, 2000) ?? 150),
    interruptAfter: samples(check.checkNumber('interruptAfter', o.interruptAfter, 32, 2000) ?? 150),
    preRoll: samples(check.checkNumber('preRoll', o.preRoll, 0, 2000) ?? 300),
    maxTurn: samples(check.checkNumber('maxTurn', o.maxTurn, 1000, most) ?? Math.min(LONGEST_TURN, most)),
  }
}
