import type { Command } from 'commander'
import type { Blip2 } from '../tasks/blip2.ts'
import type { SourceOptions } from '../tasks/node-source.ts'
import type { ModelFlags } from './options.ts'
import type { Output } from './output.ts'
import { photoNote } from './photo-note.ts'

/** A file that takes less to widen is done before anybody could read of it: the built-in models, at their first use. */
const shownBytes = 50e6

/** Loads the model that the flags name, uses it, and gives everything back, whatever happens. */
export async function withModel(
  command: Command,
  flags: ModelFlags & { readonly batch?: number },
  output: Output,
  signal: AbortSignal,
  use: (model: Blip2) => Promise<void>,
): Promise<void> {
  const { model: source, device, threads, batch, imageSize } = flags
  if (source === undefined || source === '')
    return command.error('error: --model (BLIP2_MODEL) is empty; leave it out for the built-in model, or name one')
  // Only now: ONNX Runtime and the image library take a moment, which --help and mistakes need not wait for.
  const { loadBlip2 } = await import('../tasks/node-load.ts')
  output.status(`loading ${source}`)
  const model = await loadBlip2(source, {
    ...given({ device, threads, batch, imageSize }),
    ...sourceOptions(flags),
    onProgress({ step, loadedBytes, totalBytes }) {
      if (step === 'download' || totalBytes >= shownBytes) output.progress(step, loadedBytes, totalBytes)
    },
    onNotice: output.note,
    onPhoto: (built) => output.note(photoNote(command, process.argv.slice(2), built)),
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
