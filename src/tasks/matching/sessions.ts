/** The graphs of a first-stage model as sessions on one device, each made when it is first needed. */
import type { RetrievalConfig } from '../../models/config.ts'
import { isBuffer } from '../../models/names/names.ts'
import {
  canCaption,
  captionPromptGraph,
  captionStepGraph,
  imageFeaturesGraph,
  matchGraph,
  retrievalTiedNames,
  similarityGraph,
  textFeaturesGraph,
} from '../../models/retrieval.ts'
import { FEW_ROWS, type StoredTensor, storedParams } from '../../nn/index.ts'
import type { CacheShapes, Device, Session } from '../../runtime/device.ts'
import { cacheShapes, lazySessions, rowClass } from '../sessions.ts'

export interface MatchingSessions {
  readonly device: Device
  readonly config: RetrievalConfig
  image(): Promise<Session>
  /** For texts of about so many rows (tokens times texts). */
  text(rows: number): Promise<Session>
  /** Several texts with one image, or each text with an image of its own; for so many texts. */
  match(images: 'one' | 'each', texts: number): Promise<Session>
  similarity(): Promise<Session>
  /** Undefined for a file without a captioning head. */
  readonly caption: CaptionSessions | undefined
}

export interface CaptionSessions {
  /** What the Q-Former keeps of each query and token, for a batch of so many images. */
  cacheShapes(images: number): CacheShapes
  prompt(): Promise<Session>
  /** For a step of about so many rows (branches times images). */
  step(rows: number): Promise<Session>
}

/**
 * Builds the graphs and checks every tensor of the checkpoint against them; reads no weights. `replaced` are weights that take the
 * place of stored ones.
 * @throws CheckpointError for missing, unused and misshapen tensors.
 */
export function createMatchingSessions(
  device: Device,
  config: RetrievalConfig,
  tensors: ReadonlyMap<string, StoredTensor>,
  replaced: ReadonlyMap<string, Float32Array> = new Map(),
): MatchingSessions {
  const { params, check } = storedParams(tensors, { aliases: retrievalTiedNames, replaced, unused: notForInference })
  const image = imageFeaturesGraph(params, config)
  const text = textFeaturesGraph(params, config)
  const match = { one: matchGraph(params, config, 1), each: matchGraph(params, config, 'batch') }
  const captions = canCaption(tensors)
    ? { prompt: captionPromptGraph(params, config), step: captionStepGraph(params, config) }
    : undefined
  check()

  const session = lazySessions(device)
  return {
    device,
    config,
    image: () => session('image', image, { batch: 1 }),
    text(rows) {
      const { name, size } = rowClass(rows)
      return session(`texts, ${name}`, text, { batch: 1, tokens: size })
    },
    match(images, texts) {
      // The queries of two texts are many rows already.
      const sizes = texts === 1 ? { batch: 1, tokens: 16 } : { batch: FEW_ROWS, tokens: 16 }
      return session(`match, ${images}, ${texts === 1 ? 'one text' : 'texts'}`, match[images], sizes)
    },
    similarity: () => session('similarity', similarityGraph(config), {}),
    caption: captions && {
      cacheShapes: (images) => cacheShapes([captions.prompt], images),
      prompt: () => session('caption prompt', captions.prompt, { batch: 1 }),
      step(rows) {
        const { name, size } = rowClass(rows)
        return session(`caption step, ${name}`, captions.step, { batch: 1, tokens: size, read: size })
      },
    },
  }
}

/** Position numbers, and the temperature that divides the similarities in training alone. */
function notForInference(name: string): boolean {
  return isBuffer(name) || name === 'temp'
}
