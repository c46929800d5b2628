import type { Command } from 'commander'
import type { EncodedImage } from '../tasks/image.ts'
import type { Match } from '../tasks/matching/results.ts'
import { withModel } from './model.ts'
import { addModelOptions, collect, type ModelFlags, modelOption, positiveInteger } from './options.ts'
import { createOutput } from './output.ts'
import { encodePhoto } from './photos.ts'
import { readTexts } from './retrieve/inputs.ts'

interface Flags extends ModelFlags {
  readonly image?: readonly string[]
  readonly texts?: string
  readonly maxTextLength?: number
  readonly batch: number
  readonly clean: boolean
  readonly exif: boolean
  readonly json?: boolean
}

export function addMatch(program: Command, signal: AbortSignal): void {
  const command = program
    .command('match')
    .summary('Say how well texts go with an image.')
    .description('Say how well texts go with an image: similarity (ITC) and probability of a match (ITM).')
    .argument('<image>', 'a file or an address')
    .argument('[text...]', 'one or several; the image is encoded once')
    .option('--image <image>', 'another image for the same texts, which are encoded once (repeatable)', collect)
    .option('--texts <file>', 'more texts: one on each line, or .json')
    .option('--batch <n>', 'texts that are computed together', positiveInteger, 32)
    .option('--max-text-length <tokens>', 'read no more of a text (default: 32, as in training)', positiveInteger)
    .option('--no-clean', 'read the texts as they are, not in lower case and without .!"()*#:;~ as in training')
    .option('--no-exif', 'do not turn photos as their EXIF orientation says (as the reference implementations)')
    .option('--json', 'one JSON object per line')
    .optionsGroup('Model:')
    .addOption(modelOption('retrieval'))
  addModelOptions(command)
    .addHelpText(
      'after',
      `
With --json, one line per image and text:
  {"image", "text", "itc", "itm"}
itc is the cosine similarity, from -1 to 1, which compares an image with many texts quickly; itm the probability that
the two belong together, from 0 to 1, for which the model reads the text with the image before it. 0.99 beside 0.4 is
usual: they are different scales (docs/scores.md). An image that cannot be read has {"image", "text", "error"} for each
text instead, and the exit code is 1.

Examples:
  blip2 match photo.jpg "a dog on a beach" "two cats" --model blip2_3rdparty_retrieval
  blip2 match photo.jpg --image another.jpg --texts queries.txt --model ./my-model --json`,
    )
    .action((image: string, texts: string[], flags: Flags) => match(command, image, texts, flags, signal))
}

async function match(
  command: Command,
  first: string,
  given: readonly string[],
  flags: Flags,
  signal: AbortSignal,
): Promise<void> {
  const { texts: file, maxTextLength, batch, clean, exif, json, ...model } = flags
  const images = [first, ...(flags.image ?? [])]
  if (given.length === 0 && file === undefined) return command.error('error: no text; give one, or --texts FILE')
  if (given.some((text) => text.trim() === '')) return command.error('error: a text is empty')
  const texts = [...given, ...(file === undefined ? [] : (await readTexts(file)).texts)]

  const output = createOutput(json)
  await withModel(command, model, output, signal, async (model) => {
    const read: string[] = []
    async function* encoded(): AsyncGenerator<EncodedImage, void> {
      for (const image of images) {
        output.status(`matching ${image}`)
        const photo = await encodePhoto(model, image, { exif, signal })
        if ('error' in photo) {
          output.failure(photo.error, ...texts.map((text) => ({ image, text })))
          continue
        }
        read.push(image)
        yield photo.encoded
      }
    }
    for await (const matches of model.matchAll(encoded(), texts, { maxTextLength, clean, batch, signal })) {
      const image = read.at(-1) as string // one image is asked for when the one before it is done
      for (const one of matches) output.result(matchObject(image, one), matchText(image, one))
    }
  })
}

function matchObject(image: string, { text, itc, itm }: Match): object {
  return { image, text, itc, itm }
}

function matchText(image: string, { text, itc, itm }: Match): string {
  return `${image}: ${(100 * itm).toFixed(1).padStart(5)} % match, similarity ${itc.toFixed(3)}: ${text}`
}
