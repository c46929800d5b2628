/** From a name, folder or file to a model that is ready to be asked. */
import { readAhead } from '../checkpoints/node-read-ahead.ts'
import { SessionError } from '../errors.ts'
import { createPreprocessor } from '../images/node-preprocess.ts'
import type { RgbImage } from '../images/rgb-image.ts'
import { type BuiltInModel, findBuiltIn, photoNotice } from '../models/built-in.ts'
import { type Blip2Config, isRetrievalConfig, type RetrievalConfig } from '../models/config.ts'
import { planMemory } from '../runtime/memory.ts'
import { type DeviceOptions, openDevice } from '../runtime/node.ts'
import { machineMemory } from '../runtime/node-memory.ts'
import { questionText } from '../tokenizers/lavis-text.ts'
import { loadTokenizer } from '../tokenizers/node.ts'
import { qformerTokenizer } from '../tokenizers/qformer.ts'
import { activationBytes } from './activations.ts'
import type { Blip2 } from './blip2.ts'
import { createEngine } from './engine.ts'
import { createGenerationModel, type GenerationParts } from './generation-model.ts'
import { atImageSize } from './image-size.ts'
import { createMatchingEngine } from './matching/engine.ts'
import { createRetrievalModel } from './matching/model.ts'
import { createMatchingSessions } from './matching/sessions.ts'
import { textReader } from './matching/text-reader.ts'
import { loadQformerTokenizer } from './node-qformer-tokenizer.ts'
import { type ModelSource, openSource, type SourceOptions } from './node-source.ts'
import { createSessions } from './sessions.ts'

export type { LoadProgress } from './node-source.ts'

export interface LoadOptions extends DeviceOptions, SourceOptions {
  /** Pixels of a side of the square that images are resized to. Default: that of the published name, else of config.json. */
  readonly imageSize?: number
  /** Images in the largest batch that will be asked for; for the memory plan. Default 1. */
  readonly batch?: number
  /**
   * Told, once, that a built-in model is shown a picture of another size than its scenes have: a photo, of which it knows nothing.
   * Default: onNotice, in words.
   */
  readonly onPhoto?: (model: BuiltInModel) => void
}

/**
 * Loads a model: a built-in one (`scenes`, `scenes-retrieval`: drawn scenes, for trying things out), a published name
 * (`Salesforce/blip2-opt-2.7b`, downloaded into the cache shared with Python), a folder, or a checkpoint file of Hugging Face, LAVIS or mmpretrain. No weights are read: they are used where they lie.
 * @throws CheckpointError, ConfigError, SessionError (not enough memory; device not available), or the signal's reason.
 */
export async function loadBlip2(source: string, options: LoadOptions = {}): Promise<Blip2> {
  const found = await openSource(source, options)
  const { preset, config: trained, tensors, files } = found
  const tokenizer = await loadTokenizer(found.tokenizerFolder)
  const size = options.imageSize ?? preset?.config.vision_config.image_size ?? trained.vision_config.image_size
  const { config, replaced } = await atImageSize(trained, found, size)
  const slow = checkMemory(found, config, options)
  const readQuestion = await questionReader(found, options)
  const onPicture = photoWatch(found, options)

  const device = await openDevice(options)
  try {
    return isRetrievalConfig(config) ? retrievalModel(config) : generationModel(config)
  } catch (error) {
    await device.dispose()
    throw error
  }

  function generationModel(config: Blip2Config): Blip2 {
    const engine = createEngine(createSessions(device, config, tensors, replaced))
    return createGenerationModel({
      name: source,
      config,
      engine: withReadAhead(engine, slow ? [] : files),
      tokenizer,
      preprocessor: createPreprocessor(),
      captionPrompt: preset?.kind === 'generation' ? preset.captionPrompt : '',
      ...(readQuestion && { readQuestion }),
      onPicture,
    })
  }

  function retrievalModel(config: RetrievalConfig): Blip2 {
    const words = qformerTokenizer(tokenizer, config.qformer_config.vocab_size)
    const engine = createMatchingEngine(createMatchingSessions(device, config, tensors, replaced), words)
    return createRetrievalModel({
      name: source,
      engine: withReadAhead(engine, slow ? [] : files),
      tokenizer: words,
      preprocessor: createPreprocessor(),
      ...(options.onNotice && { onNotice: options.onNotice }),
      onPicture,
    })
  }
}

/** What the Q-Former reads of a question, cleaned as LAVIS cleans it; undefined for a model whose Q-Former reads none. */
async function questionReader(
  { config, folder }: ModelSource,
  { onNotice }: LoadOptions,
): Promise<GenerationParts['readQuestion']> {
  if (isRetrievalConfig(config) || !config.qformer_reads_question) return undefined
  const { vocab_size, max_position_embeddings } = config.qformer_config
  const words = await loadQformerTokenizer(folder, vocab_size)
  const read = textReader(words, max_position_embeddings, onNotice)
  return (question) => read(questionText(question), max_position_embeddings)
}

/** Notices the first picture that is no scene: scenes are drawn at the size that a built-in model was trained for. */
function photoWatch({ name, config }: ModelSource, options: LoadOptions): ((picture: RgbImage) => void) | undefined {
  const model = findBuiltIn(name)
  if (model === undefined) return undefined
  const { onNotice, onPhoto = () => onNotice?.(photoNotice(model)) } = options
  const side = config.vision_config.image_size
  let told = false
  return ({ width, height }) => {
    if (told || (width === side && height === side)) return
    told = true
    onPhoto(model)
  }
}

/** Reads the weights' files in the background until the engine is disposed of. */
function withReadAhead<Engine extends { dispose(): Promise<void> }>(
  engine: Engine,
  files: ModelSource['files'],
): Engine {
  const reading = readAhead(files.map(({ path }) => path))
  return { ...engine, dispose: () => Promise.all([reading.stop(), engine.dispose()]).then(() => {}) }
}

/** Whether running it will be slow, which is said. Throws SessionError where there is not enough memory. */
function checkMemory(
  { name, files }: ModelSource,
  config: ModelSource['config'],
  { batch = 1, onNotice }: LoadOptions,
): boolean {
  const mappedBytes = files.reduce((sum, file) => sum + file.size, 0)
  const need = { mappedBytes, copiedBytes: 0, activationBytes: activationBytes(config, batch) }
  const plan = planMemory(need, machineMemory())
  if (!plan.fits) throw new SessionError(`${name}: ${plan.text}`)
  if (plan.slow) onNotice?.(plan.text)
  return plan.slow
}
