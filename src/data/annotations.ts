/** Annotation files of the benchmarks, parsed → samples. Image files are named relative to the folder of images. */
import { z } from 'zod'
import { DataError } from '../errors.ts'
import type { Sample } from './sample.ts'
import { type Fields, sampleFromFields } from './table.ts'

const id = z.union([z.int(), z.string()])
const cocoCaptions = z.object({
  images: z.array(z.object({ id, file_name: z.string() })),
  annotations: z.array(z.object({ image_id: id, caption: z.string() })),
})
const vqaQuestions = z.object({
  questions: z.array(z.object({ question_id: id, image_id: id, question: z.string() })),
})
const vqaAnswers = z.object({
  annotations: z.array(z.object({ question_id: id, answers: z.array(z.object({ answer: z.string() })) })),
})

/** COCO's `captions_*.json` (one sample an image, with all its captions), or LAVIS's list of `{image, caption}`. */
export function captionSamples(json: unknown, where: string): Sample[] {
  if (Array.isArray(json)) return listed(json, where)
  const { images, annotations } = parsed(cocoCaptions, json, where)
  const captions = new Map<string | number, string[]>()
  for (const { image_id, caption } of annotations) {
    if (caption.trim() === '') continue
    captions.set(image_id, [...(captions.get(image_id) ?? []), caption.trim()])
  }
  return images.flatMap((image) => {
    const texts = captions.get(image.id)
    return texts ? [{ key: `${where}: image ${image.id}`, image: image.file_name, texts }] : []
  })
}

/** The two files of VQA v2, images named by `imageName`; or LAVIS's list of `{image, question, answer}`, with `annotations` absent. */
export function vqaSamples(
  questions: unknown,
  annotations: unknown,
  where: string,
  imageName: (imageId: string | number) => string,
): Sample[] {
  if (Array.isArray(questions)) return listed(questions, where)
  const asked = parsed(vqaQuestions, questions, where).questions
  const answers = new Map(
    parsed(vqaAnswers, annotations, where).annotations.map((one) => [one.question_id, one.answers] as const),
  )
  return asked.map(({ question_id, image_id, question }) => {
    const given = answers.get(question_id)
    if (!given?.length) throw new DataError(`${where}: question_id ${question_id} has no answers`)
    const key = `${where}: question ${question_id}`
    return { key, image: imageName(image_id), question, texts: given.map(({ answer }) => answer) }
  })
}

function listed(rows: readonly unknown[], where: string): Sample[] {
  return rows.map((row, i) => {
    const at = `${where}: entry ${i}`
    if (typeof row !== 'object' || row === null)
      throw new DataError(`${at}: expected an object, found ${JSON.stringify(row)}`)
    return sampleFromFields(row as Fields, at)
  })
}

function parsed<T>(schema: z.ZodType<T>, json: unknown, where: string): T {
  const result = schema.safeParse(json)
  if (result.success) return result.data
  const { path, message } = result.error.issues[0] as { path: PropertyKey[]; message: string }
  throw new DataError(`${where}: ${path.join('.') || 'the file'}: ${message}`)
}
