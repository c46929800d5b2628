/**
 * Two-stage image-text retrieval in both directions (BLIP-2, section 4.4): the k candidates of every query by contrastive similarity
 * (ITC), their order by image-text matching (ITM). Source of the scores: LAVIS, lavis/models/blip2_models/blip2.py, `compute_sim_matrix`.
 * docs/decisions/0014-retrieval.md.
 */
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openRecords, type Records } from '../../checkpoints/node-records.ts'
import { writeSafetensors } from '../../checkpoints/node-write.ts'
import { ConfigError, DataError } from '../../errors.ts'
import type { ImageInput } from '../image.ts'
import type { EncodeOptions, EncodeTextOptions, RetrievalEncoder } from './encoder.ts'
import type { FeatureType } from './feature-type.ts'
import { selectCandidates } from './node-candidates.ts'
import { encodeImages } from './node-images.ts'
import { imagesDigest, textsDigest } from './node-inputs.ts'
import { matchPairs, rankCandidates } from './node-match.ts'
import { encodeTexts } from './node-texts.ts'
import { type Manifest, openWork, type WorkFolder } from './node-work.ts'
import { groupPairs } from './pairs.ts'
import { type RetrievalProgress, type RetrievalStep, stepProgress } from './progress.ts'
import type { Ranking, ScoreRule } from './ranking.ts'

export { removeWork } from './node-work.ts'

export interface RetrievalInputs {
  readonly images: readonly ImageInput[]
  readonly texts: readonly string[]
}

/** Where the work is kept so that a run that was ended can go on. */
export interface Work {
  readonly folder: string
  /** What tells this model, with its settings, from another: e.g. its name, the sizes and times of its files, the image size. */
  readonly model: string
  /** Delete what an earlier run has left in the folder. */
  readonly fresh?: boolean | undefined
}

export interface RetrieveOptions extends EncodeOptions, EncodeTextOptions {
  /** Candidates of a query; at most as many as there are. Default 128, as published. */
  readonly k?: number | undefined
  /** Default `lavis`. */
  readonly rule?: ScoreRule | undefined
  /** Images that are encoded together. Default 1. */
  readonly imageBatch?: number | undefined
  /** Texts that are encoded, or matched with one image, together. Default 32. */
  readonly textBatch?: number | undefined
  /** The type in which the image encoder's output is kept. Default `float16`. */
  readonly features?: FeatureType | undefined
  /** Leave out images that cannot be read, instead of stopping at the first. Default false. */
  readonly skipUnreadable?: boolean | undefined
  /** Stays when the call returns: `removeWork(folder)` when the result is safe. Default: a temporary folder, removed at the end. */
  readonly work?: Work | undefined
  /** A .safetensors file for all ITC similarities: `score_i2t` (images that can be read, texts). */
  readonly similarity?: string | undefined
  /** Images and texts whose similarities are computed together. Default 64 and 1,024. */
  readonly blocks?: { readonly images: number; readonly texts: number } | undefined
  /** Seconds between two times that the state of the first stage is kept. Default 30. */
  readonly stateInterval?: number | undefined
  readonly onProgress?: ((progress: RetrievalProgress) => void) | undefined
}

export interface RetrievalResult {
  /** Indices of the images that were ranked, ascending: all, unless some could not be read. */
  readonly images: readonly number[]
  readonly unreadable: readonly { readonly image: number; readonly message: string }[]
  /** Row r is of images[r]; its indices are those of texts. */
  readonly textsOfImages: Ranking
  /** Row t is of text t; its indices are those of images. */
  readonly imagesOfTexts: Ranking
  /** Image and text pairs that were matched. */
  readonly pairs: number
}

/**
 * Ranks the texts for every image and the images for every text. Memory: about 4 · (embedSize + 6 k) bytes per image or text, however
 * large the images' features are.
 * Throws DataError (an image cannot be read; the work folder is of another run), ConfigError, CheckpointError (a full disk), SessionError,
 * or the signal's reason. With `work`, the same call goes on where this one stopped, and gives what it would have given.
 */
export async function retrieve(
  encoder: RetrievalEncoder,
  inputs: RetrievalInputs,
  options: RetrieveOptions = {},
): Promise<RetrievalResult> {
  const settings = withDefaults(options)
  const manifest = await describe(encoder, inputs, settings)
  if (options.work) {
    const folder = await openWork(options.work.folder, { model: options.work.model, ...manifest }, options.work.fresh)
    return run(encoder, inputs, settings, folder).finally(folder.close)
  }
  const temporary = await mkdtemp(join(tmpdir(), 'blip2-retrieve-'))
  try {
    const folder = await openWork(temporary, manifest)
    return await run(encoder, inputs, settings, folder).finally(folder.close)
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

type Settings = ReturnType<typeof withDefaults>

function withDefaults(options: RetrieveOptions) {
  const { blocks = { images: 64, texts: 1024 }, imageBatch = 1, textBatch = 32, k = 128 } = options
  const counts = { k, imageBatch, textBatch, 'blocks.images': blocks.images, 'blocks.texts': blocks.texts }
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new ConfigError(`${name}: expected a whole number of at least 1, found ${value}`)
  }
  const { rule = 'lavis', features = 'float16', skipUnreadable = false, exif = true, stateInterval = 30 } = options
  const { maxTextLength, similarity, signal, onProgress = () => {} } = options
  return {
    k,
    rule,
    imageBatch,
    textBatch,
    features,
    skipUnreadable,
    exif,
    blocks,
    stateInterval,
    maxTextLength,
    similarity,
    signal,
    onProgress,
  }
}

/** Everything that the files of a run depend on. The rule does not count: it is applied to them at the end. */
async function describe(
  encoder: RetrievalEncoder,
  { images, texts }: RetrievalInputs,
  settings: Settings,
): Promise<Manifest> {
  if (images.length === 0 || texts.length === 0) {
    throw new DataError(`retrieval: expected images and texts, found ${images.length} images and ${texts.length} texts`)
  }
  const { queries, embedSize, patches, hiddenSize } = encoder
  const { k, imageBatch, textBatch, features, exif, blocks, maxTextLength, similarity } = settings
  return {
    format: 1,
    images: images.length,
    imagesDigest: await imagesDigest(images, settings.skipUnreadable),
    texts: texts.length,
    textsDigest: textsDigest(texts),
    sizes: [queries, embedSize, patches, hiddenSize].join(),
    k,
    imageBatch,
    textBatch,
    features,
    exif,
    blocks: [blocks.images, blocks.texts].join(),
    ...(maxTextLength !== undefined && { maxTextLength }),
    similarity: similarity !== undefined,
  }
}

async function run(
  encoder: RetrievalEncoder,
  inputs: RetrievalInputs,
  settings: Settings,
  folder: WorkFolder,
): Promise<RetrievalResult> {
  const opened: Records[] = []
  const records = async (name: Parameters<typeof folder.file>[0]) => {
    const file = await openRecords(folder.file(name))
    opened.push(file)
    return file
  }
  const progress = (step: RetrievalStep, total: number) => stepProgress(step, total, settings.onProgress)
  try {
    const images = await encodeImages(encoder, inputs.images, await records('images.records'), {
      ...settings,
      onDone: progress('images', inputs.images.length),
    })
    const { readable, unreadable } = images
    if (readable.length === 0) throw new DataError(`none of the ${inputs.images.length} images can be read`)
    const texts = await encodeTexts(encoder, inputs.texts, await records('texts.records'), {
      ...settings,
      onDone: progress('texts', inputs.texts.length),
    })
    const candidates = await selectCandidates(encoder, images, texts.projected, {
      ...settings,
      imageBlock: settings.blocks.images,
      textBlock: settings.blocks.texts,
      stateFile: folder.file('candidates.safetensors'),
      similarityFile: settings.similarity && folder.file('similarity.f32'),
      onDone: progress('similarity', readable.length),
    })
    if (settings.similarity !== undefined) {
      const data = createReadStream(folder.file('similarity.f32'))
      const shape = [readable.length, inputs.texts.length]
      await writeSafetensors(settings.similarity, [{ name: 'score_i2t', dtype: 'F32', shape, data }])
    }
    const pairs = groupPairs(candidates.textsOfImages, candidates.imagesOfTexts)
    const logits = await records('matches.records')
    await matchPairs(encoder, images, texts.tokens, pairs, logits, {
      ...settings,
      onDone: progress('matching', pairs.texts.length),
    })
    const { textsOfImages, imagesOfTexts } = await rankCandidates(candidates, pairs, logits, settings.rule)
    return {
      images: readable,
      unreadable: Array.from(unreadable, ([image, message]) => ({ image, message })),
      textsOfImages,
      imagesOfTexts: { ...imagesOfTexts, indices: imagesOfTexts.indices.map((row) => readable[row]!) },
      pairs: pairs.texts.length,
    }
  } finally {
    for (const file of opened) await file.close()
  }
}
