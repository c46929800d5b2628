import type { Command } from 'commander'
import { type Preset, presets } from '../models/presets.ts'
import type { Blip2 } from '../tasks/blip2.ts'
import type { SourceOptions } from '../tasks/node-source.ts'
import type { ModelFlags } from './options.ts'
import type { Output } from './output.ts'

/** Loads the model that the flags name, uses it, and gives everything back, whatever happens. */
export async function withModel(
  command: Command,
  flags: ModelFlags & { readonly batch?: number },
  output: Output,
  signal: AbortSignal,
  use: (model: Blip2) => Promise<void>,
): Promise<void> {
  const { model: source, device, threads, batch, imageSize } = flags
  if (source === undefined || source === '') return command.error(whichModel())
  // Only now: ONNX Runtime and the image library take a moment, which --help and mistakes need not wait for.
  const { loadBlip2 } = await import('../tasks/node-load.ts')
  output.status(`loading ${source}`)
  const model = await loadBlip2(source, {
    ...given({ device, threads, batch, imageSize }),
    ...sourceOptions(flags),
    onProgress: ({ step, loadedBytes, totalBytes }) => output.progress(step, loadedBytes, totalBytes),
    onNotice: output.note,
    signal,
  }).finally(output.clear)
  try {
    await use(model)
  } finally {
    output.clear()
    await model.dispose()
  }
}

/** Which of the flags say where the parts of a model are. */
export function sourceOptions(flags: Partial<ModelFlags>): SourceOptions {
  const { revision, offline, languageModel, imageEncoder, tokenizer } = flags
  return given({ revision, offline, languageModel, imageEncoder, tokenizer })
}

/** Without the flags that were not given. */
function given<T extends object>(flags: T): Given<T> {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as Given<T>
}

type Given<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> }

function whichModel(): string {
  const named = (kind: Preset['kind']) =>
    presets.filter((preset) => preset.kind === kind).map(({ name }) => `  ${name}`)
  return [
    'error: which model? Give --model, or set BLIP2_MODEL, to one of',
    ...named('generation'),
    'for captions and answers, or to match and retrieve to',
    ...named('retrieval'),
    'or to org/name of the hub, or to a folder or file of your own. `blip2 models` tells their sizes and licences.',
  ].join('\n')
}
