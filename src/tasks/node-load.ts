/** From a name, folder or file to a model that is ready to be asked. */
import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { openCheckpoint } from '../checkpoints/node.ts'
import { defaultCacheDir, float32Checkpoint } from '../checkpoints/node-float32.ts'
import { type DownloadOptions, resolveModel } from '../checkpoints/node-hub.ts'
import { readAhead } from '../checkpoints/node-read-ahead.ts'
import type { Checkpoint } from '../checkpoints/safetensors.ts'
import { CheckpointError, SessionError } from '../errors.ts'
import { createPreprocessor } from '../images/node-preprocess.ts'
import { type Blip2Config, parseBlip2Config } from '../models/config.ts'
import { findPreset } from '../models/presets.ts'
import { planMemory } from '../runtime/memory.ts'
import { type DeviceOptions, openDevice } from '../runtime/node.ts'
import { machineMemory } from '../runtime/node-memory.ts'
import { loadTokenizer } from '../tokenizers/node.ts'
import { activationBytes } from './activations.ts'
import { type Blip2, createBlip2 } from './blip2.ts'
import { createEngine } from './engine.ts'
import { atImageSize } from './image-size.ts'
import { createSessions } from './sessions.ts'

/** A long step of loading: bytes done and in all. */
export interface LoadProgress {
  readonly step: 'download' | 'widen'
  readonly loadedBytes: number
  readonly totalBytes: number
}

export interface LoadOptions
  extends DeviceOptions,
    Pick<DownloadOptions, 'revision' | 'token' | 'offline' | 'endpoint'> {
  /** Pixels of a side of the square that images are resized to. Default: that of the published name, else of config.json. */
  readonly imageSize?: number
  /** Images in the largest batch that will be asked for; for the memory plan. Default 1. */
  readonly batch?: number
  /** Where half precision weights are widened to, once. Default `BLIP2_CACHE`, else the system's cache folder. */
  readonly cacheDir?: string
  readonly onProgress?: (progress: LoadProgress) => void
  /** Told what a user should know: slow memory, an outdated snapshot. */
  readonly onNotice?: (text: string) => void
  readonly signal?: AbortSignal
}

/**
 * Loads a model: a published name (`Salesforce/blip2-opt-2.7b`, downloaded into the cache shared with Python), a folder in the
 * Hugging Face layout, or a .safetensors file inside one. No weights are read: they are used where they lie.
 * @throws CheckpointError, ConfigError, SessionError (not enough memory; device not available), or the signal's reason.
 */
export async function loadBlip2(source: string, options: LoadOptions = {}): Promise<Blip2> {
  const { signal, onNotice } = options
  const preset = findPreset(source)
  if (preset?.kind === 'retrieval') {
    throw new CheckpointError(
      `${source}: image-text retrieval models are not supported yet; \`blip2 models\` says which are`,
    )
  }
  const path = await resolveModel(source, {
    ...downloadOptions(options),
    repositoryOf: (name) => findPreset(name)?.repository,
  })
  signal?.throwIfAborted()

  const folder = (await stat(path)).isDirectory() ? path : dirname(path)
  const fileConfig = await readConfig(folder)
  const stored = await openCheckpoint(path)
  const tokenizer = await loadTokenizer(folder)
  const checkpoint = await float32Checkpoint(stored, {
    cacheDir: options.cacheDir ?? defaultCacheDir(process.env),
    onProgress: (progress) => options.onProgress?.({ step: 'widen', ...progress }),
    ...(signal && { signal }),
  })
  const size = options.imageSize ?? preset?.config.vision_config.image_size ?? fileConfig.vision_config.image_size
  const { config, replaced } = await atImageSize(fileConfig, checkpoint, size)
  const slow = checkMemory(config, checkpoint, options)

  const device = await openDevice(options)
  try {
    const engine = createEngine(createSessions(device, config, checkpoint.tensors, replaced))
    const reading = readAhead(slow ? [] : checkpoint.files.map((file) => file.path))
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

  function checkMemory(config: Blip2Config, { files }: Checkpoint, { batch = 1 }: LoadOptions): boolean {
    const mappedBytes = files.reduce((sum, file) => sum + file.size, 0)
    const need = { mappedBytes, copiedBytes: 0, activationBytes: activationBytes(config, batch) }
    const plan = planMemory(need, machineMemory())
    if (!plan.fits) throw new SessionError(`${source}: ${plan.text}`)
    if (plan.slow) onNotice?.(plan.text)
    return plan.slow
  }
}

async function readConfig(folder: string): Promise<Blip2Config> {
  const file = join(folder, 'config.json')
  let json: unknown
  try {
    json = JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw new CheckpointError(
      cause instanceof SyntaxError
        ? `${file}: not JSON: ${cause.message}`
        : `${file}: cannot be read; a model folder has config.json, tokenizer.json and *.safetensors`,
      { cause },
    )
  }
  return parseBlip2Config(json, file)
}

function downloadOptions(options: LoadOptions): DownloadOptions {
  const { revision, token, offline, endpoint, signal, onProgress, onNotice } = options
  return {
    ...(revision !== undefined && { revision }),
    ...(token !== undefined && { token }),
    ...(offline !== undefined && { offline }),
    ...(endpoint !== undefined && { endpoint }),
    ...(signal && { signal }),
    ...(onNotice && { onNotice }),
    onProgress: ({ loadedBytes, totalBytes }) => onProgress?.({ step: 'download', loadedBytes, totalBytes }),
  }
}
