/** Annotation files of the benchmarks, parsed → samples. Images are as they are named there. */
import { z } from 'zod'
import { DataError } from '../errors.ts'
import type { Sample } from './sample.ts'
import { sampleFromRow, shown } from './table.ts'

type Id = number | string

/** A parsed file, and what messages and keys call it. */
export interface NamedJson {
  readonly json: unknown
  readonly name: string
}

const id = z.union([z.int(), z.string()], 'expected a whole number or a text')
const text = z.string('expected a text')
const object = <T extends z.ZodRawShape>(shape: T) => z.object(shape, 'expected an object')
const list = <T extends z.ZodType>(item: T) => z.array(item, 'expected a list')

const cocoCaptions = object({
  images: list(object({ id, file_name: text })),
  annotations: list(object({ image_id: id, caption: text })),
})
const vqaQuestions = object({
  questions: list(object({ question_id: id, image_id: id, question: text })),
})
const vqaAnswers = object({
  annotations: list(object({ question_id: id, answers: list(object({ answer: text })) })),
})

/** COCO's `captions_*.json` (one sample an image, with all its captions), or LAVIS's list of `{image, caption}`. */
export function captionSamples({ json, name }: NamedJson): Sample[] {
  if (Array.isArray(json)) return json.map((row, i) => sampleFromRow(row, `${name}: entry ${i}`))
  const { images, annotations } = parsed(cocoCaptions, json, name)
  const captions = byId(images, `${name}: image`, (image) => [image.id, [] as string[]])
  for (const { image_id, caption } of annotations) {
    const those = captions.get(image_id)
    if (!those) throw new DataError(`${name}: a caption of image ${image_id}, which is not among its images`)
    if (caption.trim() !== '') those.push(caption.trim())
  }
  return images.flatMap(({ id, file_name }) => {
    const texts = captions.get(id) as string[]
    return texts.length === 0 ? [] : [{ key: `${name}: image ${id}`, image: file_name, texts }]
  })
}

/** The two files of VQA v2, images named by `imageName`; or LAVIS's list of `{image, question, answer}`, which has the answers too. */
export function vqaSamples(
  { json, name }: NamedJson,
  answers: NamedJson | undefined,
  imageName: (imageId: Id) => string,
): Sample[] {
  if (Array.isArray(json)) return json.map((row, i) => questionFromRow(row, `${name}: entry ${i}`))
  const { questions } = parsed(vqaQuestions, json, name)
  if (!answers) throw new DataError(`${name}: questions as in VQA v2, where a file of annotations has the answers`)
  const { annotations } = parsed(vqaAnswers, answers.json, answers.name)
  const answered = byId(annotations, `${answers.name}: question`, (one) => [one.question_id, one.answers])
  const asked = byId(questions, `${name}: question`, (one) => [one.question_id, one])
  return Array.from(asked.values(), ({ question_id, image_id, question }) => {
    const key = `${name}: question ${question_id}`
    const texts = answered.get(question_id)?.map(({ answer }) => answer.trim())
    if (!texts?.some((text) => text !== '')) throw new DataError(`${key} has no answer in ${answers.name}`)
    return { key, image: imageName(image_id), question: question.trim(), texts: texts.filter((text) => text !== '') }
  })
}

function questionFromRow(row: unknown, where: string): Sample {
  const sample = sampleFromRow(row, where)
  if (sample.question === undefined) throw new DataError(`${where}: no question; is this a file of captions?`)
  return sample
}

/** Throws a DataError for an id that comes twice. */
function byId<T, V>(items: readonly T[], what: string, entry: (item: T) => readonly [Id, V]): Map<Id, V> {
  const map = new Map<Id, V>()
  for (const [id, value] of items.map(entry)) {
    if (map.has(id)) throw new DataError(`${what} ${id} is there twice`)
    map.set(id, value)
  }
  return map
}

function parsed<T>(schema: z.ZodType<T>, json: unknown, name: string): T {
  const result = schema.safeParse(json, { reportInput: true })
  if (result.success) return result.data
  const [{ path, message, input }] = result.error.issues as [z.core.$ZodIssue]
  throw new DataError(`${name}: ${path.join('.') || 'the file'}: ${message}, found ${shown(input)}`)
}
