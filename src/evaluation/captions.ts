/**
 * Sets of captioned images: LAVIS's lists of the Karpathy splits (`coco_karpathy_test.json`, `flickr30k_test.json`: `[{"image",
 * "caption": [...]}]`), and the official COCO form (`captions_val2014.json`; NoCaps, with a domain for each image).
 */
import { DataError } from '../errors.ts'
import { pairCaptions } from '../metrics/caption/coco.ts'
import { evaluateCaptions } from '../metrics/caption/evaluate.ts'
import { placesOf } from '../metrics/caption/scores.ts'
import { type Id, type JsonFile, listAt, objectAt, objectsAt, shown, textAt } from '../metrics/json.ts'
import { imagePath } from './image-path.ts'
import type { Dataset, Predictions, Sample, Scores } from './sample.ts'

interface CaptionedImage extends Sample {
  readonly domain?: string
}

/** `images` is the template of the images' paths. DataError for odd files, repeated ids, images without a caption. */
export function captionDataset(captions: JsonFile, images: string): Dataset {
  const samples = Array.isArray(captions.content) ? readList(captions, images) : readCoco(captions, images)
  if (samples.length === 0) throw new DataError(`${captions.name}: expected at least one image, found none`)
  const domains = new Map(samples.flatMap(({ id, domain }) => (domain === undefined ? [] : [[id, domain]])))
  return {
    samples,
    results: (some, predictions) => some.map(({ id }) => ({ image_id: id, caption: predictions.get(id) })),
    score: (some, predictions) => score(some, predictions, domains),
  }
}

function readList({ name, content }: JsonFile, images: string): CaptionedImage[] {
  const samples = new Map<Id, CaptionedImage>()
  for (const { entry, at } of objectsAt(content, name)) {
    const file = textAt(entry.image, `${at}.image`)
    const id = idOfFile(file)
    if (samples.has(id)) throw new DataError(`${at}: image ${shown(id)} is there twice`)
    const references = listAt(entry.caption, `${at}.caption`).map((text, i) => textAt(text, `${at}.caption[${i}]`))
    if (references.length === 0) throw new DataError(`${at}: image ${shown(id)} has no caption`)
    samples.set(id, { id, image: imagePath(images, { id, file }, at), references })
  }
  return [...samples.values()]
}

/** As LAVIS: COCO_val2014_000000391895.jpg → 391895. */
function idOfFile(file: string): Id {
  const stem = file.slice(file.lastIndexOf('/') + 1).replace(/\.\w+$/, '')
  const last = stem.slice(stem.lastIndexOf('_') + 1)
  return /^\d{1,15}$/.test(last) ? Number(last) : stem
}

function readCoco(captions: JsonFile, images: string): CaptionedImage[] {
  const { name, content } = captions
  const files = new Map<unknown, string>()
  for (const { entry } of objectsAt(objectAt(content, name).images, `${name}: images`))
    if (typeof entry.file_name === 'string') files.set(entry.id, entry.file_name)
  // With empty captions, so that an odd file is found before the model has written real ones.
  const ids = objectsAt(objectAt(content, name).images, `${name}: images`).map(({ entry }) => entry.id)
  const empty = { name, content: ids.map((image_id) => ({ image_id, caption: '' })) }
  const { imageIds, references, domains } = pairCaptions(captions, empty)
  return imageIds.map((id, i) => {
    const file = files.get(id)
    const image = imagePath(images, { id, ...(file !== undefined && { file }) }, `${name}: image ${shown(id)}`)
    return { id, image, references: references[i]!, ...(domains && { domain: domains[i]! }) }
  })
}

function score(samples: readonly Sample[], predictions: Predictions, domains: ReadonlyMap<Id, string>): Scores {
  const parts = domains.size === 0 ? new Map() : placesOf(samples.map(({ id }) => domains.get(id)!))
  const { metrics } = evaluateCaptions({
    candidates: samples.map(({ id }) => predictions.get(id)!),
    references: samples.map(({ references }) => references),
    parts: [...parts.values()],
  })
  const ofAll = Object.entries(metrics).map(([name, { corpus }]): [string, number] => [name, 100 * corpus])
  const ofParts = [...parts.keys()].flatMap((domain, part) =>
    Object.entries(metrics).map(([name, scores]): [string, number] => [`${domain} ${name}`, 100 * scores.parts[part]!]),
  )
  const exact = samples.filter(({ id, references }) => isOneOf(predictions.get(id)!, references)).length
  return {
    measured: Object.fromEntries([...ofAll, ...ofParts, ['Exact', (100 * exact) / samples.length]]),
    shown: (score) => `CIDEr ${score.toFixed(1)}`,
    bySample: new Map(samples.map(({ id }, i) => [id, 100 * metrics.CIDEr.perImage[i]!])),
  }
}

/** Word for word, whatever their capitals, spaces around them and a full stop at the end. */
function isOneOf(caption: string, references: readonly string[]): boolean {
  const bare = (text: string) =>
    text
      .trim()
      .toLowerCase()
      .replace(/\s*\.$/, '')
  const wanted = bare(caption)
  return references.some((reference) => bare(reference) === wanted)
}
