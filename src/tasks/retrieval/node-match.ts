/** Second stage of retrieval: the matching logits of the candidates, every pair once, and the rankings that follow. */
import type { Records } from '../../checkpoints/node-records.ts'
import { SessionError } from '../../errors.ts'
import type { MatchLogits, RetrievalEncoder } from './encoder.ts'
import type { Candidates } from './node-candidates.ts'
import type { StoredImages } from './node-images.ts'
import { type GroupedPairs, textsOf } from './pairs.ts'
import { type Ranking, type ScoreRule, setScore, sortRanking, unscored } from './ranking.ts'

export interface MatchOptions {
  /** Texts of one image that are matched together. */
  readonly textBatch: number
  readonly signal: AbortSignal | undefined
  /** Told how many pairs are done. */
  readonly onDone: (pairs: number) => void
}

/**
 * Matches the pairs of those images that are not in `records` yet. A record has the logits of the pairs of one image, in their order:
 * all `match`, then all `noMatch`.
 */
export async function matchPairs(
  encoder: RetrievalEncoder,
  images: StoredImages,
  tokens: readonly (readonly number[])[],
  pairs: GroupedPairs,
  records: Records,
  { textBatch, signal, onDone }: MatchOptions,
): Promise<void> {
  onDone(pairs.offsets[records.count]!)
  while (records.count < images.readable.length) {
    const texts = textsOf(pairs, records.count)
    const imageEmbeds = await images.readImageEmbeds(images.readable[records.count]!)
    const match = new Float32Array(texts.length)
    const noMatch = new Float32Array(texts.length)
    // Texts of about the same length are a batch with little padding.
    const order = Array.from(texts.keys()).sort(
      (a, b) => tokens[texts[a]!]!.length - tokens[texts[b]!]!.length || a - b,
    )
    for (let start = 0; start < order.length; start += textBatch) {
      signal?.throwIfAborted()
      const batch = order.slice(start, start + textBatch)
      const logits = await encoder.matchLogits(
        imageEmbeds,
        batch.map((i) => tokens[texts[i]!]!),
        { signal },
      )
      checkLogits(logits, batch.length, images.readable[records.count]!)
      batch.forEach((at, i) => {
        match[at] = logits.match[i]!
        noMatch[at] = logits.noMatch[i]!
      })
      onDone(pairs.offsets[records.count]! + start + batch.length)
    }
    await records.append(match, noMatch)
  }
}

function checkLogits({ match, noMatch }: MatchLogits, texts: number, image: number): void {
  if (match.length !== texts || noMatch.length !== texts) {
    throw new RangeError(`logits of ${match.length} of ${texts} texts`)
  }
  if (match.every(Number.isFinite) && noMatch.every(Number.isFinite)) return
  throw new SessionError(
    `image ${image}, from 0: the model gives matching logits that are no numbers (NaN or infinite); is the checkpoint damaged?`,
  )
}

/** The candidates in the order of their scores. Uses up `candidates`. */
export async function rankCandidates(
  { textsOfImages, imagesOfTexts }: Candidates,
  pairs: GroupedPairs,
  records: Records,
  rule: ScoreRule,
): Promise<{ readonly textsOfImages: Ranking; readonly imagesOfTexts: Ranking }> {
  const ofImages = unscored(textsOfImages)
  const ofTexts = unscored(imagesOfTexts)
  for (let image = 0; image < records.count; image++) {
    const texts = textsOf(pairs, image)
    const logits = { match: new Float32Array(texts.length), noMatch: new Float32Array(texts.length) }
    await records.read(image, logits.match)
    await records.read(image, logits.noMatch, logits.match.byteLength)
    const candidatesOfImage = textsOfImages.rows[image]!.indices
    texts.forEach((text, at) => {
      const ofImage = candidatesOfImage.indexOf(text)
      if (ofImage !== -1) setScore(ofImages, image * ofImages.k + ofImage, logits, at, rule)
      const ofText = imagesOfTexts.rows[text]!.indices.indexOf(image)
      if (ofText !== -1) setScore(ofTexts, text * ofTexts.k + ofText, logits, at, rule)
    })
  }
  sortRanking(ofImages)
  sortRanking(ofTexts)
  return { textsOfImages: ofImages, imagesOfTexts: ofTexts }
}
