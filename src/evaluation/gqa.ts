/** GQA: the official questions (or LAVIS's list of them), results in the official form. */
import { DataError } from '../errors.ts'
import { evaluateGqa, type GqaQuestion, type GqaVariant } from '../metrics/gqa/evaluate.ts'
import { pairGqaAnswers } from '../metrics/gqa/json.ts'
import { type Id, idAt, type JsonFile, objectAt, textAt } from '../metrics/json.ts'
import { byQuestion } from '../metrics/questions.ts'
import { imagePath } from './image-path.ts'
import type { Dataset, Sample } from './sample.ts'

/** `images` is the template of the images' paths, of which `{id}` is the file's `imageId`. DataError for odd files. */
export function gqaDataset(questions: JsonFile, images: string, variant: GqaVariant): Dataset {
  const asked = readQuestions(questions, images)
  // With empty answers, so that an odd file is found before the model has given real ones.
  const empty = [...asked.keys()].map((questionId) => ({ questionId, prediction: '' }))
  const paired = pairGqaAnswers(questions, { name: questions.name, content: empty })
  const right = new Map<Id, GqaQuestion>(paired.ids.map((id, i) => [id, paired.questions[i]!]))
  return {
    samples: paired.ids.map((id) => ({ ...asked.get(id)!, references: [right.get(id)!.answer] })),
    results: (samples, predictions) => samples.map(({ id }) => ({ questionId: id, prediction: predictions.get(id) })),
    score(samples, predictions) {
      const { accuracy, binary, open, perQuestion, ...types } = evaluateGqa(
        samples.map(({ id }) => right.get(id)!),
        samples.map(({ id }) => predictions.get(id)!),
        variant,
      )
      return {
        measured: { accuracy, ...(binary !== undefined && { binary }), ...(open !== undefined && { open }) },
        perType: { ...types.accuracyPerStructuralType, ...types.accuracyPerSemanticType },
        shown: (score) => `accuracy ${score.toFixed(1)}`,
        bySample: new Map(samples.map(({ id }, i) => [id, perQuestion[i]!])),
      }
    },
  }
}

/** By question id, which is a text here. */
function readQuestions({ name, content }: JsonFile, images: string): Map<Id, Sample> {
  const read = (entry: Readonly<Record<string, unknown>>, at: string) => {
    const question = textAt(entry.question, `${at}: question`)
    if (question.trim() === '') throw new DataError(`${at}: the question is empty`)
    return { image: imagePath(images, { id: imageId(entry, at) }, at), question, references: [] }
  }
  const asked = Array.isArray(content)
    ? byQuestion(content, name, read, String)
    : new Map(
        Object.entries(objectAt(content, name)).map(([id, entry]) => {
          const at = `${name}: question ${JSON.stringify(id)}`
          return [id, read(objectAt(entry, at), at)]
        }),
      )
  return new Map([...asked].map(([id, sample]) => [id, { id, ...sample }]))
}

/** LAVIS's list has the name of the file, `n161313.jpg`. */
function imageId(entry: Readonly<Record<string, unknown>>, at: string): Id {
  if (entry.imageId !== undefined) return idAt(entry.imageId, `${at}: imageId`)
  return textAt(entry.image, `${at}: image`).replace(/\.\w+$/, '')
}
