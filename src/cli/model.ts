import type { Command } from 'commander'
import { presets } from '../models/presets.ts'
import type { Blip2 } from '../tasks/blip2.ts'
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
  const { model: source, device, threads, revision, offline, batch, imageSize } = flags
  if (source === undefined || source === '') return command.error(whichModel())
  // Only now: ONNX Runtime and the image library take a moment, which --help and mistakes need not wait for.
  const { loadBlip2 } = await import('../tasks/node-load.ts')
  output.status(`loading ${source}`)
  const model = await loadBlip2(source, {
    device,
    ...(threads !== undefined && { threads }),
    ...(revision !== undefined && { revision }),
    ...(offline !== undefined && { offline }),
    ...(batch !== undefined && { batch }),
    ...(imageSize !== undefined && { imageSize }),
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

function whichModel(): string {
  const names = presets.filter(({ kind }) => kind === 'generation').map(({ name }) => `  ${name}`)
  return [
    'error: which model? Give --model, or set BLIP2_MODEL, to one of',
    ...names,
    'to org/name of the hub, or to a folder or file of your own. `blip2 models` tells their sizes and licences.',
  ].join('\n')
}
