/** Rows of JSON lines, CSV files and lists of objects → samples. */
import { DataError } from '../errors.ts'
import type { Sample } from './sample.ts'

/** Names that a column may have; the first that is there is read. Those of COCO, LAVIS, WebDataset and the published lists of pairs. */
const columns = {
  image: ['image', 'image_path', 'file_name', 'filename', 'path'],
  text: ['caption', 'captions', 'text', 'texts'],
  question: ['question'],
  answer: ['answer', 'answers'],
  imageId: ['image_id'],
} as const

export type Fields = Readonly<Record<string, unknown>>

/** Image as it is named in the row; `where` begins every error and is the sample's key. */
export function sampleFromFields(fields: Fields, where: string): Sample {
  const image = field(fields, columns.image)
  const question = field(fields, columns.question)
  const texts = textsOf(field(fields, question === undefined ? columns.text : columns.answer))
  const wanted = question === undefined ? columns.text[0] : columns.answer[0]
  if (texts.length === 0)
    throw new DataError(`${where}: no ${wanted}; found the fields ${Object.keys(fields).join(', ')}`)
  if (image !== undefined && (typeof image !== 'string' || image === ''))
    throw new DataError(`${where}: image: expected the name of a file, found ${JSON.stringify(image)}`)
  if (question !== undefined && (typeof question !== 'string' || question.trim() === ''))
    throw new DataError(`${where}: question: expected a text, found ${JSON.stringify(question)}`)
  const id = Number(field(fields, columns.imageId) ?? Number.NaN)
  return {
    key: where,
    texts,
    ...(image !== undefined && { image: image as string }),
    ...(question !== undefined && { question: question as string }),
    ...(Number.isSafeInteger(id) && { imageId: id }),
  }
}

function field(fields: Fields, names: readonly string[]): unknown {
  return names.map((name) => fields[name]).find((value) => value !== undefined && value !== null)
}

/** A text, or a list of texts, of which empty ones are left out. */
function textsOf(value: unknown): string[] {
  const list = Array.isArray(value) ? value : value === undefined ? [] : [value]
  return list.map((one) => String(one).trim()).filter((text) => text !== '')
}
