/** First stage of retrieval: the k most similar texts of every image and images of every text, by ITC. */
import { constants } from 'node:fs'
import { access, type FileHandle, open } from 'node:fs/promises'
import { openCheckpoint, readTensor } from '../../checkpoints/node.ts'
import { writeError } from '../../checkpoints/node-errors.ts'
import { writeFully, writeSafetensors } from '../../checkpoints/node-write.ts'
import type { Top } from '../../generation/top.ts'
import { offerAll } from '../../generation/top.ts'
import type { RetrievalEncoder } from './encoder.ts'
import type { StoredImages } from './node-images.ts'
import { similarities } from './similarity.ts'
import { createTops, type Tops, transposed } from './tops.ts'

export interface CandidateOptions {
  /** Candidates of a query, at most. */
  readonly k: number
  /** Images and texts whose similarities are computed together. */
  readonly imageBlock: number
  readonly textBlock: number
  /** Where the state is kept, to go on from. */
  readonly stateFile: string
  /** Seconds between two times that it is written. */
  readonly stateInterval: number
  /** Where all similarities go: float32 (readable images, texts). Undefined: nowhere. */
  readonly similarityFile: string | undefined
  readonly signal: AbortSignal | undefined
  /** Told how many images are done. */
  readonly onDone: (images: number) => void
}

/** Rows and columns count the readable images from 0. */
export interface Candidates {
  readonly textsOfImages: Tops
  readonly imagesOfTexts: Tops
}

/** The images of the state file that are done, in its metadata. */
const doneKey = 'images'

export async function selectCandidates(
  encoder: RetrievalEncoder,
  images: StoredImages,
  projectedTexts: Float32Array,
  options: CandidateOptions,
): Promise<Candidates> {
  const { queries, embedSize } = encoder
  const { k, imageBlock, textBlock, stateFile, stateInterval, similarityFile, signal, onDone } = options
  const imageCount = images.readable.length
  const textCount = projectedTexts.length / embedSize
  const candidates: Candidates = {
    textsOfImages: createTops(imageCount, Math.min(k, textCount)),
    imagesOfTexts: createTops(textCount, Math.min(k, imageCount)),
  }
  let done = await readState(stateFile, candidates)
  onDone(done)
  if (done === imageCount) return candidates

  const matrix = similarityFile === undefined ? undefined : await openMatrix(similarityFile, textCount)
  try {
    let written = performance.now()
    while (done < imageCount) {
      const block = images.readable.slice(done, done + imageBlock)
      const projectedImages = await readBlock(images, block, queries * embedSize)
      for (let text = 0; text < textCount; text += textBlock) {
        signal?.throwIfAborted()
        const texts = projectedTexts.subarray(text * embedSize, (text + textBlock) * embedSize)
        const values = await compute(projectedImages, block.length, texts)
        const width = texts.length / embedSize
        offerRows(candidates.textsOfImages.rows, done, values, width, text)
        offerRows(candidates.imagesOfTexts.rows, text, transposed(values, block.length), block.length, done)
        await matrix?.write(values, done, text, width)
      }
      done += block.length
      if (done === imageCount || performance.now() - written >= 1000 * stateInterval) {
        await matrix?.sync()
        await writeState(stateFile, candidates, done)
        written = performance.now()
      }
      onDone(done)
    }
    return candidates
  } finally {
    await matrix?.close()
  }

  function compute(projectedImages: Float32Array, count: number, texts: Float32Array): Promise<Float32Array> {
    const width = texts.length / embedSize
    return (
      encoder.similarities?.(projectedImages, count, texts, width, { signal }) ??
      similarities(projectedImages, texts, { images: count, queries, texts: width, embedSize }, signal)
    )
  }
}

async function readBlock(images: StoredImages, block: readonly number[], size: number): Promise<Float32Array> {
  const projected = new Float32Array(block.length * size)
  for (const [i, image] of block.entries())
    await images.readProjected(image, projected.subarray(i * size, (i + 1) * size))
  return projected
}

/** `values` (…, width): row i is offered to tops[firstRow + i], its columns counted from firstColumn. */
function offerRows(
  tops: readonly Top[],
  firstRow: number,
  values: Float32Array,
  width: number,
  firstColumn: number,
): void {
  for (let row = 0; row * width < values.length; row++) {
    offerAll(tops[firstRow + row]!, values.subarray(row * width, (row + 1) * width), 0, firstColumn)
  }
}

async function writeState(path: string, { textsOfImages, imagesOfTexts }: Candidates, done: number): Promise<void> {
  const tensors = [
    { name: 'texts_of_images.itc', dtype: 'F32' as const, tops: textsOfImages, data: textsOfImages.scores },
    { name: 'texts_of_images.indices', dtype: 'I32' as const, tops: textsOfImages, data: textsOfImages.indices },
    { name: 'images_of_texts.itc', dtype: 'F32' as const, tops: imagesOfTexts, data: imagesOfTexts.scores },
    { name: 'images_of_texts.indices', dtype: 'I32' as const, tops: imagesOfTexts, data: imagesOfTexts.indices },
  ]
  await writeSafetensors(
    path,
    tensors.map(({ name, dtype, tops, data }) => ({ name, dtype, shape: [tops.rows.length, tops.k], data })),
    { [doneKey]: String(done) },
  )
}

/** Fills the empty candidates from the file, and returns how many images are done. */
async function readState(path: string, { textsOfImages, imagesOfTexts }: Candidates): Promise<number> {
  if (
    !(await access(path).then(
      () => true,
      () => false,
    ))
  )
    return 0
  const { tensors, metadata } = await openCheckpoint(path)
  const done = Number(metadata[doneKey])
  for (const [name, tops] of [
    ['texts_of_images', textsOfImages],
    ['images_of_texts', imagesOfTexts],
  ] as const) {
    tops.scores.set((await readTensor(tensors.get(`${name}.itc`)!)) as Float32Array)
    tops.indices.set((await readTensor(tensors.get(`${name}.indices`)!)) as Int32Array)
  }
  for (const top of textsOfImages.rows.slice(0, done)) top.size = textsOfImages.k
  for (const top of imagesOfTexts.rows) top.size = Math.min(done, imagesOfTexts.k)
  return done
}

interface Matrix {
  /** Writes a block (…, width), whose first element is at this row and column. */
  write(block: Float32Array, row: number, column: number, width: number): Promise<void>
  sync(): Promise<void>
  close(): Promise<void>
}

/** A file of a float32 matrix that is written in blocks, in any order. */
async function openMatrix(path: string, columns: number): Promise<Matrix> {
  const handle: FileHandle = await open(path, constants.O_RDWR | constants.O_CREAT)
  return {
    async write(block, row, column, width) {
      for (let i = 0; i * width < block.length; i++) {
        const bytes = new Uint8Array(block.buffer, block.byteOffset + 4 * i * width, 4 * width)
        await writeFully(handle, bytes, 4 * ((row + i) * columns + column)).catch(async (error) => {
          throw await writeError(error, path, block.byteLength)
        })
      }
    },
    sync: () => handle.datasync(),
    close: () => handle.close(),
  }
}
