/** The retrieval of the resume test: small, but several batches and blocks of everything. */
import { createHash } from 'node:crypto'
import { type RetrieveOptions, retrieve } from '../../../src/tasks/retrieval/node-retrieve.ts'
import { similarities } from '../../../src/tasks/retrieval/similarity.ts'
import { fakeEncoder, pixel } from './fake-encoder.ts'

export const inputs = {
  images: Array.from({ length: 7 }, (_, i) => pixel(100 + i)),
  texts: Array.from({ length: 9 }, (_, i) => `text ${'y'.repeat((i * 3) % 7)}${i}`),
}

/** The state of the first stage is written after every block. */
export const options: RetrieveOptions = {
  k: 3,
  imageBatch: 3,
  textBatch: 4,
  blocks: { images: 2, texts: 5 },
  stateInterval: 0,
}

/** A digest of every bit of the result. `onCall` is called before each call of the encoder. */
export async function digestedRun(folder: string, onCall: () => void = () => {}): Promise<string> {
  const fake = fakeEncoder({ noise: 1e-3, onCall })
  const { queries, embedSize } = fake
  const encoder: typeof fake = {
    ...fake,
    similarities(projectedImages, images, projectedTexts, texts) {
      onCall()
      return similarities(projectedImages, projectedTexts, { images, queries, texts, embedSize })
    },
  }
  const work = { folder, model: 'fake' }
  const result = await retrieve(encoder, inputs, { ...options, similarity: `${folder}.safetensors`, work })
  const hash = createHash('sha256')
  for (const { indices, itc, itm, score } of [result.textsOfImages, result.imagesOfTexts]) {
    for (const data of [indices, itc, itm, score]) hash.update(data)
  }
  return hash.digest('hex')
}
