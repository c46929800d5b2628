/** From a name, folder or file to a model that is ready to be asked. */
import { readAhead } from '../checkpoints/node-read-ahead.ts'
import { CheckpointError, SessionError } from '../errors.ts'
import { createPreprocessor } from '../images/node-preprocess.ts'
import { type Blip2Config, isRetrievalConfig } from '../models/config.ts'
import { findPreset } from '../models/presets.ts'
import { planMemory } from '../runtime/memory.ts'
import { type DeviceOptions, openDevice } from '../runtime/node.ts'
import { machineMemory } from '../runtime/node-memory.ts'
import { loadTokenizer } from '../tokenizers/node.ts'
import { activationBytes } from './activations.ts'
import { type Blip2, createBlip2 } from './blip2.ts'
import { createEngine } from './engine.ts'
import { atImageSize } from './image-size.ts'
import { type ModelSource, openSource, type SourceOptions } from './node-source.ts'
import { createSessions } from './sessions.ts'

export type { LoadProgress } from './node-source.ts'

export interface LoadOptions extends DeviceOptions, SourceOptions {
  /** Pixels of a side of the square that images are resized to. Default: that of the published name, else of config.json. */
  readonly imageSize?: number
  /** Images in the largest batch that will be asked for; for the memory plan. Default 1. */
  readonly batch?: number
}

/**
 * Loads a model: a published name (`Salesforce/blip2-opt-2.7b`, downloaded into the cache shared with Python), a folder, or a
 * checkpoint file of Hugging Face, LAVIS or mmpretrain. No weights are read: they are used where they lie.
 * @throws CheckpointError, ConfigError, SessionError (not enough memory; device not available), or the signal's reason.
 */
export async function loadBlip2(source: string, options: LoadOptions = {}): Promise<Blip2> {
  if (findPreset(source)?.kind === 'retrieval') throw noGeneration(source)
  const found = await openSource(source, options)
  const { preset, config: trained } = found
  if (isRetrievalConfig(trained) || preset?.kind === 'retrieval') throw noGeneration(source)
  const tokenizer = await loadTokenizer(found.tokenizerFolder)
  const size = options.imageSize ?? preset?.config.vision_config.image_size ?? trained.vision_config.image_size
  const { config, replaced } = await atImageSize(trained, found, size)
  const slow = checkMemory(found, config, options)

  const device = await openDevice(options)
  try {
    const engine = createEngine(createSessions(device, config, found.tensors, replaced))
    const reading = readAhead(slow ? [] : found.files.map((file) => file.path))
    return createBlip2({
      name: source,
      config,
      engine: { ...engine, dispose: () => Promise.all([reading.stop(), engine.dispose()]).then(() => {}) },
      tokenizer,
      preprocessor: createPreprocessor(),
      captionPrompt: preset?.captionPrompt ?? '',
    })
  } catch (error) {
    await device.dispose()
    throw error
  }
}

function noGeneration(source: string): CheckpointError {
  return new CheckpointError(
    `${source}: image-text retrieval models are not supported yet; \`blip2 models\` says which are`,
  )
}

/** Whether running it will be slow, which is said. Throws SessionError where there is not enough memory. */
function checkMemory({ name, files }: ModelSource, config: Blip2Config, { batch = 1, onNotice }: LoadOptions): boolean {
  const mappedBytes = files.reduce((sum, file) => sum + file.size, 0)
  const need = { mappedBytes, copiedBytes: 0, activationBytes: activationBytes(config, batch) }
  const plan = planMemory(need, machineMemory())
  if (!plan.fits) throw new SessionError(`${name}: ${plan.text}`)
  if (plan.slow) onNotice?.(plan.text)
  return plan.slow
}
