import { DataError } from '../../errors.ts'
import { readJson } from '../../metrics/node-read.ts'
import type { TieRule } from '../../metrics/retrieval/recall.ts'
import { createOutput } from '../output.ts'
import { scoreLines } from './lines.ts'

interface RetrievalFlags {
  readonly similarity: string
  readonly groundTruth: string
  readonly ties: TieRule
  readonly json?: boolean
}

export async function scoreRetrieval({ similarity, groundTruth, ties, json }: RetrievalFlags): Promise<void> {
  const { openCheckpoint, readTensor } = await import('../../checkpoints/node.ts')
  const { readPairs } = await import('../../metrics/retrieval/json.ts')
  const { evaluateRetrieval } = await import('../../metrics/retrieval/evaluate.ts')
  const { tensors } = await openCheckpoint(similarity)

  const matrix = async (name: string) => {
    const tensor = tensors.get(name)
    if (tensor === undefined) return undefined
    const [rows, columns, ...more] = tensor.shape
    const data = await readTensor(tensor)
    if (rows && columns && more.length === 0 && (data instanceof Float32Array || data instanceof Float64Array))
      return { rows, columns, data }
    throw new DataError(`${similarity}: ${name}: expected a matrix of floats, found ${tensor.dtype} (${tensor.shape})`)
  }
  const imageToText = await matrix('score_i2t')
  const textToImage = await matrix('score_t2i')
  if (imageToText === undefined)
    throw new DataError(
      `${similarity}: expected a tensor score_i2t (images, texts), found ${[...tensors.keys()].join(', ')}`,
    )
  const { rows: images, columns: texts } = imageToText
  if (textToImage && (textToImage.rows !== texts || textToImage.columns !== images))
    throw new DataError(
      `${similarity}: score_t2i: expected (${texts}, ${images}), found (${textToImage.rows}, ${textToImage.columns})`,
    )
  const { name, content } = await readJson(groundTruth)
  const scores = evaluateRetrieval(imageToText, textToImage, readPairs(name, content, images, texts), ties)
  createOutput(json).result({ ...scores, images, texts, ties }, scoreLines(Object.entries(scores), 2))
}
