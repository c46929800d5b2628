/** Retrieval as it is defined: whole matrices in memory, everything matched with everything, sorted. */
import type { ImageInput } from '../../../src/tasks/image.ts'
import type { RetrievalEncoder } from '../../../src/tasks/retrieval/encoder.ts'
import type { Ranking, ScoreRule } from '../../../src/tasks/retrieval/ranking.ts'

export interface Ranked {
  readonly index: number
  readonly itc: number
  readonly itm: number
  readonly score: number
}

/** Best first, of equal scores the lower index first. Features stay float32. */
export async function naiveRetrieval(
  encoder: RetrievalEncoder,
  images: readonly ImageInput[],
  texts: readonly string[],
  k: number,
  rule: ScoreRule,
): Promise<{ textsOfImages: Ranked[][]; imagesOfTexts: Ranked[][] }> {
  const { queries, embedSize } = encoder
  const encodedImages = await encoder.encodeImages(images)
  const encodedTexts = await encoder.encodeTexts(texts)
  const itc = encodedImages.map(({ projected: image }) =>
    encodedTexts.map(({ projected: text }) => {
      const dots = Array.from({ length: queries }, (_, query) =>
        text.reduce((sum, value, i) => sum + value * image[query * embedSize + i]!, 0),
      )
      return Math.fround(Math.max(...dots))
    }),
  )
  const tokens = encodedTexts.map((text) => text.tokens)
  const logits = await Promise.all(encodedImages.map(({ imageEmbeds }) => encoder.matchLogits(imageEmbeds, tokens)))
  const ranked = (
    pairs: readonly (readonly [image: number, text: number])[],
    indexOf: (image: number, text: number) => number,
  ) =>
    pairs
      .map(([image, text]) => {
        const [match, noMatch] = [logits[image]!.match[text]!, logits[image]!.noMatch[text]!]
        return {
          index: indexOf(image, text),
          itc: itc[image]![text]!,
          itm: Math.fround(Math.exp(match) / (Math.exp(match) + Math.exp(noMatch))),
          score: Math.fround(match + (rule === 'lavis' ? itc[image]![text]! : 0)),
        }
      })
      .sort((a, b) => b.itc - a.itc || a.index - b.index)
      .slice(0, k)
      .sort((a, b) => b.score - a.score || a.index - b.index)
  return {
    textsOfImages: images.map((_, image) =>
      ranked(
        texts.map((_, text) => [image, text] as const),
        (_, text) => text,
      ),
    ),
    imagesOfTexts: texts.map((_, text) =>
      ranked(
        images.map((_, image) => [image, text] as const),
        (image) => image,
      ),
    ),
  }
}

/** The rows of a ranking as objects. */
export function rows({ k, indices, itc, itm, score }: Ranking): Ranked[][] {
  return Array.from({ length: indices.length / k }, (_, row) =>
    Array.from({ length: k }, (_, i) => {
      const at = row * k + i
      return { index: indices[at]!, itc: itc[at]!, itm: itm[at]!, score: score[at]! }
    }),
  )
}
