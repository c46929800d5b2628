import type { Command } from 'commander'
import { builtInModel } from '../models/built-in.ts'
import type { Blip2, Caption, TaskOptions } from '../tasks/blip2.ts'
import { captionDefaults, captionDefaultsOf } from '../tasks/prompts.ts'
import { addTimes } from '../tasks/timing.ts'
import { decodingOptions } from './decoding.ts'
import { withModel } from './model.ts'
import { addCommonOptions, type CommonFlags, positiveInteger } from './options.ts'
import { createOutput } from './output.ts'
import { type ReadOptions, readPhoto, type UnreadablePhoto } from './photos.ts'

interface Flags extends CommonFlags {
  readonly prompt?: string
  readonly batch: number
}

export function addCaption(program: Command, signal: AbortSignal): void {
  const command = program
    .command('caption')
    .description('Caption images.')
    .argument('<image...>', 'files or addresses (JPEG, PNG, WebP, AVIF, GIF, TIFF)')
    .option('--captions <n>', 'captions of each image, best first (default: 1)', positiveInteger)
    .option('--prompt <text>', 'how every caption begins (default: as published for the model)')
    .option('--batch <n>', 'images that are computed together', positiveInteger, 1)
  addCommonOptions(command, captionDefaults)
    .addHelpText(
      'after',
      `
With --json, one line per image, in the order of the arguments:
  {"image", "pred_caption", "captions": [{"text", "score"}], "model", "timing_ms": {"decode", …, "total"}}
An image that cannot be read has {"image", "error"} instead; the others go on, and the exit code is 1. The times of a
batch are those of the whole batch.

The built-in model describes scenes in full: its captions may have ${captionDefaultsOf(builtInModel('generation').name).maxNewTokens} tokens.

Examples:
  blip2 caption photo.jpg --model Salesforce/blip2-opt-2.7b
  blip2 caption *.jpg --model ./my-model --captions 3 --json
  blip2 caption photo.jpg --model ./my-model --sample --top-p 0.9 --seed 1`,
    )
    .action((images: string[], flags: Flags) => caption(command, images, flags, signal))
}

async function caption(command: Command, images: readonly string[], flags: Flags, signal: AbortSignal): Promise<void> {
  const { exif, prompt, batch, json } = flags
  const defaults = captionDefaultsOf(flags.model ?? '')
  const options = { ...decodingOptions(command, flags, defaults), prompt, exif, signal }
  const output = createOutput(json)
  await withModel(command, flags, output, signal, async (model) => {
    for (let start = 0; start < images.length; start += batch) {
      output.status(`captioning ${start + 1} of ${images.length}: ${images[start]}`)
      for (const outcome of await captionGroup(model, images.slice(start, start + batch), options)) {
        const { image } = outcome
        if ('error' in outcome) output.failure(outcome.error, { image })
        else output.result(captionObject(image, outcome.caption, model), captionText(image, outcome.caption))
      }
    }
  })
}

type Outcome = { readonly image: string; readonly caption: Caption } | UnreadablePhoto

/** Captions as one batch; an image that cannot be read does not stop the others. */
async function captionGroup(
  model: Blip2,
  images: readonly string[],
  options: TaskOptions & ReadOptions,
): Promise<Outcome[]> {
  const photos = await Promise.all(images.map((image) => readPhoto(image, options)))
  const readable = photos.filter((photo) => 'pixels' in photo)
  const pixels = readable.map((photo) => photo.pixels)
  const captions = pixels.length === 0 ? [] : await model.captionBatch(pixels, options)
  return photos.map((photo) => {
    if ('error' in photo) return photo
    const caption = captions[readable.indexOf(photo)] as Caption
    return { image: photo.image, caption: { ...caption, timing_ms: addTimes(photo.timing_ms, caption.timing_ms) } }
  })
}

function captionObject(image: string, { pred_caption, captions, timing_ms }: Caption, model: Blip2): object {
  return {
    image,
    pred_caption,
    captions: captions.map(({ text, score }) => ({ text, score })),
    model: model.name,
    timing_ms,
  }
}

function captionText(image: string, { pred_caption, captions }: Caption): string {
  if (captions.length === 1) return `${image}: ${pred_caption}`
  return [`${image}:`, ...captions.map(({ text, score }) => `  ${score.toFixed(2).padStart(6)}  ${text}`)].join('\n')
}
