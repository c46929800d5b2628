import type { Command } from 'commander'
import type { Blip2 } from '../../tasks/blip2.ts'
import type { EncodedImage } from '../../tasks/image.ts'
import type { FeatureInputs, Features } from '../../tasks/matching/results.ts'
import type { FeatureFlags } from '../features.ts'
import { count, shapeText } from '../format.ts'
import { withModel } from '../model.ts'
import { createOutput, type Output } from '../output.ts'
import { encodePhoto, readPhoto } from '../photos.ts'
import { type Collection, openCollection, tensorsOf } from './collection.ts'
import { formatOf } from './formats.ts'
import { type FeatureItem, isFolder, readItems } from './inputs.ts'

/** Computes and writes what the flags ask for. Memory holds one batch, however many inputs there are. */
export async function writeFeatures(
  command: Command,
  images: readonly string[],
  flags: FeatureFlags,
  signal: AbortSignal,
): Promise<void> {
  const { mode, out, dtype, batch = mode === 'image' ? 1 : 32 } = flags
  const write = formatOf(out) ?? command.error('error: --out: expected a name that ends in .safetensors, .npy or .json')
  if (await isFolder(out)) return command.error(`error: --out: ${out} is a folder; give the name of a file`)
  const items = await readItems(command, images, flags)
  const output = createOutput(flags.json)
  await withModel(command, { ...flags, batch: mode === 'image' ? batch : 1 }, output, signal, async (model) => {
    const collection = await openCollection(out, mode, dtype)
    try {
      const read = reader(model, flags, output, signal)
      for (let start = 0; start < items.length; start += batch) {
        if (start > 0) output.progress('features', start, items.length, count)
        await read(items.slice(start, start + batch), collection)
      }
      if (collection.items.length === 0) return output.note(`${out} is not written: there is nothing to write`)
      await write(out, collection, model.name)
      report(out, collection, model, output)
    } finally {
      await collection.remove()
    }
  })
}

/** Computes the features of a batch and adds them to the collection. Images that cannot be read are left out and said. */
function reader(
  model: Blip2,
  { mode, exif, clean, maxTextLength, batch }: FeatureFlags,
  output: Output,
  signal: AbortSignal,
): (items: readonly FeatureItem[], collection: Collection) => Promise<void> {
  const options = { exif, clean, maxTextLength, batch, signal }
  const leaveOut = (image: string, error: unknown) => output.failure(error, { image })
  /** The image of the item before, which the next one may be about too. */
  let last: { readonly image: string; readonly encoded: EncodedImage } | undefined

  async function imageInputs(items: readonly FeatureItem[]): Promise<Inputs> {
    const photos = await Promise.all(items.map(({ image }) => readPhoto(image as string, options)))
    for (const photo of photos) if ('error' in photo) leaveOut(photo.image, photo.error)
    const images = photos.flatMap((photo) => ('pixels' in photo ? [photo.pixels] : []))
    return { readable: items.filter((_, i) => 'pixels' in (photos[i] as object)), inputs: { mode: 'image', images } }
  }

  async function pairInputs(items: readonly FeatureItem[]): Promise<Inputs> {
    const readable: FeatureItem[] = []
    const images: EncodedImage[] = []
    for (const item of items) {
      const image = item.image as string
      if (last?.image !== image) {
        const photo = await encodePhoto(model, image, options)
        if ('encoded' in photo) last = photo
        else leaveOut(image, photo.error)
      }
      if (last?.image !== image) continue
      readable.push(item)
      images.push(last.encoded)
    }
    return { readable, inputs: { mode: 'multimodal', images, texts: readable.map(({ text }) => text as string) } }
  }

  async function inputsOf(items: readonly FeatureItem[]): Promise<Inputs> {
    switch (mode) {
      case 'image':
        return imageInputs(items)
      case 'text':
        return { readable: items, inputs: { mode, texts: items.map(({ text }) => text as string) } }
      case 'multimodal':
        return pairInputs(items)
    }
  }

  return async (items, collection) => {
    const { readable, inputs } = await inputsOf(items)
    if (readable.length === 0) return
    const features = await model.featuresBatch(inputs, options)
    for (const [i, item] of readable.entries()) await collection.add(item, features[i] as Features)
  }
}

/** The items that can be read, as the model takes them. */
interface Inputs {
  readonly readable: readonly FeatureItem[]
  readonly inputs: FeatureInputs
}

function report(out: string, collection: Collection, model: Blip2, output: Output): void {
  const tensors = Object.fromEntries(tensorsOf(collection).map(({ name, shape }) => [name, shape]))
  const text = Object.entries(tensors).map(([name, shape]) => `${name} ${shapeText(shape)}`)
  const { mode } = collection
  output.result({ out, mode, model: model.name, tensors }, `${out}: ${text.join(', ')}`)
}
