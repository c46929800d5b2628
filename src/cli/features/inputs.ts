/** What the features are of: images, texts, or pairs of them. */
import { stat } from 'node:fs/promises'
import type { Command } from 'commander'
import type { FeatureFlags } from '../features.ts'
import { imagesBelow, readTexts } from '../retrieve/inputs.ts'

export interface FeatureItem {
  /** A file or an address; absent for a text alone. */
  readonly image?: string
  readonly text?: string
}

/** The inputs in the order of the command line; folders in the order of their paths. Ends the program where they do not go with the mode. */
export async function readItems(
  command: Command,
  images: readonly string[],
  flags: FeatureFlags,
): Promise<FeatureItem[]> {
  const { mode, text = [], texts: file } = flags
  const wrong = (why: string): never => command.error(`error: --mode ${mode}: ${why}`)
  const withTexts = text.length > 0 || file !== undefined
  if (mode !== 'text' && images.length === 0) wrong('no image; give files, addresses or folders')
  if (mode === 'text' && images.length > 0) wrong('takes no images; leave them out, or choose --mode multimodal')
  if (mode !== 'image' && !withTexts) wrong('no text; give --text TEXT or --texts FILE')
  if (mode === 'image' && withTexts) wrong('takes no texts; leave them out, or choose --mode multimodal')
  if (text.some((one) => one.trim() === '')) wrong('a text is empty')

  const paths = (await Promise.all(images.map(filesOf))).flat()
  const texts = [...text, ...(file === undefined ? [] : (await readTexts(file)).texts)]
  switch (mode) {
    case 'image':
      return paths.map((image) => ({ image }))
    case 'text':
      return texts.map((text) => ({ text }))
    case 'multimodal':
      if (paths.length === 1) return texts.map((text) => ({ image: paths[0] as string, text }))
      if (texts.length === 1) return paths.map((image) => ({ image, text: texts[0] as string }))
      if (texts.length === paths.length) return paths.map((image, i) => ({ image, text: texts[i] as string }))
      return wrong(
        `expected a text for each image, or one for all, found ${paths.length} images and ${texts.length} texts`,
      )
  }
}

async function filesOf(path: string): Promise<string[]> {
  return (await isFolder(path)) ? imagesBelow(path) : [path]
}

export function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
