/**
 * The types of errors. Every error this package throws on purpose is a {@link MossSpeechError} whose `code` is stable
 * across releases; messages are for people and may change. See docs/errors.md.
 */

/** The stable code of a {@link MossSpeechError}. */
export type MossErrorCode =
  | 'MOSS_INVALID_ARGUMENT'
  | 'MOSS_AUDIO_FORMAT'
  | 'MOSS_AUDIO_LENGTH'
  | 'MOSS_AUDIO_DEVICE'
  | 'MOSS_FILE'
  | 'MOSS_MODEL_NOT_FOUND'
  | 'MOSS_MODEL_FORMAT'
  | 'MOSS_SESSION_FORMAT'
  | 'MOSS_DISPOSED'
  | 'MOSS_SESSION_BUSY'
  | 'MOSS_ABORTED'
  | 'MOSS_NOT_KEPT'
  | 'MOSS_UNSUPPORTED'
  | 'MOSS_PROMPT_TOO_LONG'
  | 'MOSS_OUT_OF_MEMORY'
  | 'MOSS_OUT_OF_THREADS'
  | 'MOSS_DOWNLOAD'
  | 'MOSS_ADDON'
  | 'MOSS_INTERNAL'

/** More about an error: the option, key or tensor that it is about, what was expected and what was found. */
export type ErrorDetails = Readonly<Record<string, unknown>>

/**
 * The cause of an error. TypeScript declares this type only with `lib` ES2022 and later; our own declaration lets our
 * types be read with older ones.
 */
export interface ErrorOptions {
  cause?: unknown
}

/** The base of every error that this package throws on purpose. */
export class MossSpeechError extends Error {
  override readonly name: string = 'MossSpeechError'
  /** Stable, for programs: compare this, not the message. */
  readonly code: MossErrorCode
  /** The contents of the message, for programs. */
  readonly details: ErrorDetails

  constructor(code: MossErrorCode, message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.details = details
  }
}

/** An argument or option has the wrong type or lies out of its range. `details.option` names it. */
export class InvalidArgumentError extends MossSpeechError {
  override readonly name = 'InvalidArgumentError'
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_INVALID_ARGUMENT', message, details, options)
  }
}

/** The bytes are not audio, are audio of an unsupported kind, or are damaged. */
export class AudioFormatError extends MossSpeechError {
  override readonly name = 'AudioFormatError'
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_AUDIO_FORMAT', message, details, options)
  }
}

/** The audio is empty, too short or too long. `details.seconds` and `details.limit` say by how much. */
export class AudioLengthError extends MossSpeechError {
  override readonly name = 'AudioLengthError'
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_AUDIO_LENGTH', message, details, options)
  }
}

/**
 * There is no microphone or speaker, it cannot be used, or the package decibri, which records and plays, is not installed. `details.device` is
 * `microphone` or `speaker`.
 */
export class AudioDeviceError extends MossSpeechError {
  override readonly name = 'AudioDeviceError'
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_AUDIO_DEVICE', message, details, options)
  }
}

/** A file is missing or cannot be read or written. `details.path` names it, `cause` is the system's error. */
export class FileError extends MossSpeechError {
  override readonly name = 'FileError'
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_FILE', message, details, options)
  }
}

/** There is no model file at the path. */
export class ModelNotFoundError extends MossSpeechError {
  override readonly name = 'ModelNotFoundError'
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_MODEL_NOT_FOUND', message, details, options)
  }
}

/** The file is not a GGUF file that this package can use: it is truncated, or a key or tensor in it is not as expected. */
export class ModelFormatError extends MossSpeechError {
  override readonly name = 'ModelFormatError'
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_MODEL_FORMAT', message, details, options)
  }
}

/**
 * A saved session cannot be loaded. `details.reason` says why: `noSession`, these are not the bytes of a saved session;
 * `cut`, their end is missing; `damaged`, they are not what was written; `newer`, they were written by a newer version of
 * this package; `foreign`, the session belongs to another model.
 */
export class SessionFormatError extends MossSpeechError {
  override readonly name = 'SessionFormatError'
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_SESSION_FORMAT', message, details, options)
  }
}

/** A model or session is used after its `dispose()`. */
export class DisposedError extends MossSpeechError {
  override readonly name = 'DisposedError'
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_DISPOSED', message, details, options)
  }
}

/** A session was called while another call on it was running. Use a separate session for each conversation. */
export class SessionBusyError extends MossSpeechError {
  override readonly name = 'SessionBusyError'
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_SESSION_BUSY', message, details, options)
  }
}

/** The work was stopped by its `signal` (whose reason is the `cause`) or by leaving the loop over its chunks. */
export class AbortedError extends MossSpeechError {
  // The platform's convention: callers test `error.name === 'AbortError'`.
  override readonly name = 'AbortError'
  constructor(message = 'the operation was aborted', details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_ABORTED', message, details, options)
  }
}

/** Chunks or audio of a reply were requested that a loop has already read; they are not kept. See {@link ReplyStream}. */
export class NotKeptError extends MossSpeechError {
  override readonly name = 'NotKeptError'
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_NOT_KEPT', message, details, options)
  }
}

/** The loaded model, or this build, lacks what the call needs, for instance a decoder. */
export class UnsupportedError extends MossSpeechError {
  override readonly name = 'UnsupportedError'
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_UNSUPPORTED', message, details, options)
  }
}

/** The conversation or a turn does not fit the model's context. A longer one helps (`contextLength`), or `session.reset()`. */
export class PromptTooLongError extends MossSpeechError {
  override readonly name = 'PromptTooLongError'
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_PROMPT_TOO_LONG', message, details, options)
  }
}

/** There is not enough memory for the model or for its buffers. */
export class OutOfMemoryError extends MossSpeechError {
  override readonly name = 'OutOfMemoryError'
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_OUT_OF_MEMORY', message, details, options)
  }
}

/** The system cannot start more threads for this process: its limit (`ulimit -u`, a container's pids limit) is reached. */
export class OutOfThreadsError extends MossSpeechError {
  override readonly name = 'OutOfThreadsError'
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_OUT_OF_THREADS', message, details, options)
  }
}

/**
 * A download failed: the network failed, the server refused (`details.status`), or the received file is not the
 * announced one.
 */
export class DownloadError extends MossSpeechError {
  override readonly name = 'DownloadError'
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_DOWNLOAD', message, details, options)
  }
}

/** The native addon is missing or cannot be loaded on this machine. */
export class AddonError extends MossSpeechError {
  override readonly name = 'AddonError'
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super('MOSS_ADDON', message, details, options)
  }
}

type ErrorClass = new (message: string, details?: ErrorDetails, options?: ErrorOptions) => MossSpeechError

const CLASSES: Partial<Record<string, ErrorClass>> = {
  MOSS_INVALID_ARGUMENT: InvalidArgumentError,
  MOSS_AUDIO_FORMAT: AudioFormatError,
  MOSS_AUDIO_LENGTH: AudioLengthError,
  MOSS_AUDIO_DEVICE: AudioDeviceError,
  MOSS_FILE: FileError,
  MOSS_MODEL_NOT_FOUND: ModelNotFoundError,
  MOSS_MODEL_FORMAT: ModelFormatError,
  MOSS_SESSION_FORMAT: SessionFormatError,
  MOSS_DISPOSED: DisposedError,
  MOSS_SESSION_BUSY: SessionBusyError,
  MOSS_ABORTED: AbortedError,
  MOSS_NOT_KEPT: NotKeptError,
  MOSS_UNSUPPORTED: UnsupportedError,
  MOSS_PROMPT_TOO_LONG: PromptTooLongError,
  MOSS_OUT_OF_MEMORY: OutOfMemoryError,
  MOSS_OUT_OF_THREADS: OutOfThreadsError,
  MOSS_DOWNLOAD: DownloadError,
  MOSS_ADDON: AddonError,
}

/**
 * Converts anything that the addon throws or a worker thread sends to one of our types. An error with a known `code`
 * becomes an instance of its class, any other a {@link MossSpeechError} `MOSS_INTERNAL` with the original as `cause`.
 */
export function toMossError(thrown: unknown): MossSpeechError {
  if (thrown instanceof MossSpeechError) return thrown
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const { code, details } = error as Error & { code?: unknown; details?: unknown }
  const fields = typeof details === 'object' && details !== null ? (details as ErrorDetails) : {}
  const known = typeof code === 'string' ? CLASSES[code] : undefined
  if (known) return new known(error.message, fields, { cause: error.cause ?? error })
  return new MossSpeechError('MOSS_INTERNAL', error.message, fields, { cause: error })
}

/** The error of an aborted signal. */
export function abortedBy(signal: AbortSignal): AbortedError {
  return new AbortedError(undefined, {}, { cause: signal.reason })
}
