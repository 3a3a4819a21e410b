/**
 * Speech in, speech out: a speech language model that runs where Node runs.
 *
 * @packageDocumentation
 */

export { loadModel, Model } from './model.js'
export type { Message } from './engine/conversation.js'
export type { ModelInfo } from './engine/weights.js'
export type { CtcText, FinishReason, NativeComponent as ModelComponent, NativeTimings as Timings } from './binding.js'
export { Session } from './session.js'
export type { SessionInput } from './saved/load.js'
export type { SessionOutput } from './saved/save.js'
export type {
  Features,
  Heard,
  HeardUnit,
  HeardWord,
  Mode,
  Prompt,
  Reply,
  ReplyChunk,
  SessionInfo,
  Spoken,
  TextStream,
  Segment,
  Transcript,
} from './turn.js'
export { ReplyStream } from './reply.js'
export { LiveSession } from './live/live-session.js'
export type { LiveAudio } from './live/input.js'
export type { LiveOptions, TurnDetection, TurnOptions } from './live/options.js'
export type {
  AudioEvent,
  HeardEvent,
  InterruptedEvent,
  LiveEvent,
  LiveTimings,
  NoSpeechEvent,
  ReplyEndEvent,
  ShortenedEvent,
  SpeechStartEvent,
  TextEvent,
  TurnEndEvent,
  TurnEndReason,
} from './live/events.js'
export type {
  FeaturesOptions,
  GenerateOptions,
  KvCacheType,
  LoadOptions,
  LoadSessionOptions,
  ModelParts,
  SaveSessionOptions,
  SessionOptions,
  SpeakOptions,
  TranscribeOptions,
  TranscribeProgress,
} from './options.js'
export { readAudio } from './audio.js'
export type { Audio, RawSpeech, ReadAudioOptions, Speech } from './audio.js'
export { playAudio, recordAudio, saveAudio, type Recording, type RecordOptions, type Sound } from './audio/sound.js'
export { encodeWav, WavWriter, writeWav, type WavOptions } from './audio/wav-writer.js'
export {
  convert,
  quantize,
  type ConvertFileOptions,
  type ConvertProgress,
  type QuantizeOptions,
} from './convert/convert.js'
export type { Converted } from './convert/index.js'
export type { WrittenTensor } from './convert/gguf-writer.js'
export type { TensorProgress } from './convert/jobs.js'
export type { Exception as QuantizeException, Quantized, QuantizedComponent } from './convert/quantize.js'
export type { TensorType, WeightType } from './convert/weight-types.js'
export { prune, type PruneOptions } from './prune/prune.js'
export type { PrunableComponent } from './prune/heads.js'
export type { Pruned, PrunedBlock, PrunedComponent, PruneProgress } from './prune/job.js'
export type { EncoderQuality, LanguageModelQuality } from './prune/quality.js'
export { pull, type Pulled, type PullOptions, type PullProgress } from './hub/pull.js'
export {
  AbortedError,
  AddonError,
  AudioDeviceError,
  AudioFormatError,
  AudioLengthError,
  DisposedError,
  DownloadError,
  FileError,
  InvalidArgumentError,
  ModelFormatError,
  ModelNotFoundError,
  MossSpeechError,
  NotKeptError,
  OutOfMemoryError,
  OutOfThreadsError,
  PromptTooLongError,
  SessionBusyError,
  SessionFormatError,
  UnsupportedError,
  type ErrorDetails,
  type MossErrorCode,
} from './errors.js'
