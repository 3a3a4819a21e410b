import type { NativeTimings } from '../binding.js'
import type { Heard, Reply } from '../turn.js'

/** Why a turn of the user ended. */
export type TurnEndReason = 'complete' | 'silence' | 'commit' | 'maxTurn' | 'end' | 'cancel'

/** The times of a reply, in milliseconds; see {@link Timings} for those of its parts. */
export interface LiveTimings extends NativeTimings {
  /** From the end of the speech, when its last sample was written, to the decision that the turn has ended. */
  decisionMs: number
  /** From that decision, or from `commit()`, to the first audio (of a written reply, to the first text). */
  answerMs: number
}

/** Somebody has begun to speak. */
export interface SpeechStartEvent {
  type: 'speechStart'
  /** Turns are counted from 1. */
  turn: number
  /** Seconds of the input at which the speech begins. */
  time: number
}

/** The turn of the user has ended, and is answered unless it was cancelled. */
export interface TurnEndEvent {
  type: 'turnEnd'
  turn: number
  /** Seconds of the input at which the speech ends. */
  time: number
  /** Seconds of the input that were there when this was decided. */
  decided: number
  reason: TurnEndReason
}

/** `commit()` or `end()` was called, and nobody has spoken; or the model understood nothing. There is no reply. */
export interface NoSpeechEvent {
  type: 'noSpeech'
  /** Seconds of the input. */
  time: number
}

/** What was heard. */
export interface HeardEvent {
  type: 'heard'
  turn: number
  heard: Heard
}

/** The next audio of the reply. */
export interface AudioEvent {
  type: 'audio'
  turn: number
  /** Mono at `model.info().sampleRate`, in [-1, 1]. */
  audio: Float32Array
  /** Seconds of the reply at which this begins. */
  start: number
}

/** The next piece of the reply's text. */
export interface TextEvent {
  type: 'text'
  turn: number
  text: string
}

/** The reply has been generated to its end. */
export interface ReplyEndEvent {
  type: 'replyEnd'
  turn: number
  reply: Omit<Reply, 'audio' | 'timings'>
  timings: LiveTimings
}

/** The reply was stopped: the player must be silent now. There is no `replyEnd` after it. */
export interface InterruptedEvent {
  type: 'interrupted'
  turn: number
  /** Seconds of the input. */
  time: number
  /** Seconds of the reply that were played. */
  played: number
}

/** The conversation has been shortened to what was played of an interrupted reply. */
export interface ShortenedEvent {
  type: 'shortened'
  turn: number
  /** What is left of the reply. If it is '', the turn is not remembered, unless the user goes on with it. */
  text: string
}

/** What happens in a live session. */
export type LiveEvent =
  | SpeechStartEvent
  | TurnEndEvent
  | NoSpeechEvent
  | HeardEvent
  | AudioEvent
  | TextEvent
  | ReplyEndEvent
  | InterruptedEvent
  | ShortenedEvent
