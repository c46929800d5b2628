/** Rows of JSON lines, CSV files and lists of objects → samples. */
import { DataError } from '../errors.ts'
import type { Sample } from './sample.ts'

/** Names that a column may have; the first that is there is read. Those of COCO, LAVIS, WebDataset and the published lists of pairs. */
const columns = {
  image: ['image', 'image_path', 'file_name', 'filename', 'path'],
  caption: ['caption', 'captions', 'text', 'texts'],
  question: ['question'],
  answer: ['answer', 'answers'],
} as const

/** Image as it is named in the row. A row with a question has answers, any other captions. `where` begins every error and is the sample's key. */
export function sampleFromRow(row: unknown, where: string): Sample {
  if (typeof row !== 'object' || row === null || Array.isArray(row))
    throw new DataError(`${where}: expected fields and their values, found ${shown(row)}`)
  const field = (name: keyof typeof columns) =>
    columns[name].map((column) => (row as Record<string, unknown>)[column]).find((value) => value != null)
  const [image, question] = [field('image'), field('question')]
  if (image !== undefined && (typeof image !== 'string' || image === ''))
    throw new DataError(`${where}: image: expected the name of a file, found ${shown(image)}`)
  if (question !== undefined && (typeof question !== 'string' || question.trim() === ''))
    throw new DataError(`${where}: question: expected a text, found ${shown(question)}`)
  const wanted = question === undefined ? 'caption' : 'answer'
  const texts = textsOf(field(wanted), `${where}: ${wanted}`)
  if (texts.length === 0) throw new DataError(`${where}: no ${wanted}; found the fields ${Object.keys(row).join(', ')}`)
  return {
    key: where,
    texts,
    ...(image !== undefined && { image }),
    ...(question !== undefined && { question: question.trim() }),
  }
}

/** A text, or a list of texts, of which empty ones are left out. Numbers are texts: answers such as 2. */
function textsOf(value: unknown, where: string): string[] {
  const list = Array.isArray(value) ? value : value === undefined ? [] : [value]
  return list.flatMap((one) => {
    if (typeof one !== 'string' && typeof one !== 'number')
      throw new DataError(`${where}: expected a text or a list of texts, found ${shown(one)}`)
    const text = String(one).trim()
    return text === '' ? [] : [text]
  })
}

/** `where` begins the error. */
export function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new DataError(`${where}: not JSON: ${(cause as Error).message}`, { cause })
  }
}

/** A value as JSON, not longer than a line. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
