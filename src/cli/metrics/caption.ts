import type { CaptionedImages } from '../../metrics/caption/evaluate.ts'
import type { Scores } from '../../metrics/caption/scores.ts'
import { readJson } from '../../metrics/node-read.ts'
import { table } from '../format.ts'
import { createOutput } from '../output.ts'
import { scoreLines } from './lines.ts'

export interface CaptionFlags {
  readonly annotations: string
  readonly results: string
  readonly plainCider?: boolean
  readonly perImage?: boolean
  readonly meteor?: string
  readonly spice?: string
  readonly json?: boolean
}

/** Prints the scores of each image if asked for, then those of all, with those of each domain. */
export async function scoreCaptions(flags: CaptionFlags, signal: AbortSignal): Promise<void> {
  const { pairCaptions } = await import('../../metrics/caption/coco.ts')
  const { placesOf } = await import('../../metrics/caption/scores.ts')
  const output = createOutput(flags.json)
  const images = pairCaptions(await readJson(flags.annotations), await readJson(flags.results))
  const { imageIds, withoutResult } = images
  const [first, ...others] = withoutResult
  if (first !== undefined) {
    const which = others.length === 0 ? `image ${first}` : `image ${first} and ${others.length} others`
    output.note(`no caption in ${flags.results} for ${which} of ${flags.annotations}: not scored`)
  }
  const absent = [...(flags.meteor ? [] : ['METEOR (--meteor)']), ...(flags.spice ? [] : ['SPICE (--spice)'])]
  if (absent.length > 0) output.note(`left out without the jar of its Java program: ${absent.join(', ')}`)

  const domains = placesOf(images.domains ?? [])
  const scores = await allScores({ ...images, parts: [...domains.values()] }, flags, signal)
  const named = (value: (score: Scores) => number) =>
    Object.fromEntries(scores.map(([name, score]) => [name, value(score)]))
  if (flags.perImage) {
    imageIds.forEach((image_id, i) => {
      const ofImage = named(({ perImage }) => perImage[i]!)
      output.result({ image_id, ...ofImage }, `${image_id}  ${inline(ofImage)}`)
    })
  }
  const entire = named(({ corpus }) => corpus)
  const ofDomains = [...domains].map(([domain, places], part): [string, Named] => [
    domain,
    { ...named(({ parts }) => parts[part]!), images: places.length },
  ])
  output.result(
    { ...entire, images: imageIds.length, ...(domains.size > 0 && { domains: Object.fromEntries(ofDomains) }) },
    domains.size === 0
      ? scoreLines(Object.entries(entire), 4)
      : columns([['entire', { ...entire, images: imageIds.length }], ...ofDomains]),
  )
}

/** Every metric that was asked for. */
async function allScores(
  images: CaptionedImages,
  { plainCider, meteor: meteorJar, spice: spiceJar }: CaptionFlags,
  signal: AbortSignal,
): Promise<[string, Scores][]> {
  const { cider } = await import('../../metrics/caption/cider.ts')
  const { createCorpus } = await import('../../metrics/caption/corpus.ts')
  const { scoreCorpus, tokenizeImages } = await import('../../metrics/caption/evaluate.ts')
  const { meteor, spice } = await import('../../metrics/caption/node-java.ts')
  const tokenized = tokenizeImages(images)
  const corpus = createCorpus(tokenized)
  return Object.entries({
    ...scoreCorpus(corpus).metrics,
    ...(plainCider && { CIDEr_plain: cider(corpus, 'cider') }),
    ...(meteorJar && { METEOR: await meteor(tokenized, meteorJar, { signal }) }),
    ...(spiceJar && { SPICE: await spice(tokenized, spiceJar, { signal }) }),
  })
}

type Named = Readonly<Record<string, number>>

/** One line for each score, a column for each part of the images. */
function columns(parts: readonly (readonly [string, Named])[]): string {
  const names = Object.keys(parts[0]![1])
  return table(
    [
      ['', ...parts.map(([part]) => part)],
      ...names.map((name) => [name, ...parts.map(([, scores]) => scores[name]!.toFixed(name === 'images' ? 0 : 4))]),
    ],
    parts.map((_, i) => i + 1),
  )
}

function inline(scores: Named): string {
  return Object.entries(scores)
    .map(([name, score]) => `${name} ${score.toFixed(4)}`)
    .join('  ')
}
