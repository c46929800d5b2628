/** BLIP-2 for Node: captions, answers, conversations, matching and features of images, with the published checkpoints. */
export {
  Blip2Error,
  CheckpointError,
  ConfigError,
  DataError,
  GradientError,
  SessionError,
  ShapeError,
} from './errors.ts'
export type { GenerationOptions } from './generation/options.ts'
export type { RgbImage } from './images/rgb-image.ts'
export type { Blip2Config, RetrievalConfig } from './models/config.ts'
export { findPreset, type Preset, presets } from './models/presets.ts'
export type { Answer, Asked, Blip2, Caption, Chat, GeneratedText, PromptedInput, TaskOptions } from './tasks/blip2.ts'
export type { EncodedImage, ImageInput } from './tasks/image.ts'
export { inferenceModel } from './tasks/inference-model.ts'
export type {
  FeatureInput,
  FeatureInputs,
  Features,
  FeatureTensor,
  Match,
  MatchOptions,
} from './tasks/matching/results.ts'
export { type LoadOptions, type LoadProgress, loadBlip2 } from './tasks/node-load.ts'
export type { RetrievalEncoder } from './tasks/retrieval/encoder.ts'
export {
  type RetrievalInputs,
  type RetrievalResult,
  type RetrieveOptions,
  removeWork,
  retrieve,
} from './tasks/retrieval/node-retrieve.ts'
export type { Ranking } from './tasks/retrieval/ranking.ts'
export type { TimingMs } from './tasks/timing.ts'
