/** VQA v2 and OK-VQA: official questions and annotations, results for the official tool and the server. */
import { DataError } from '../errors.ts'
import { type Id, idAt, type JsonFile, objectAt, textAt } from '../metrics/json.ts'
import { byQuestion } from '../metrics/questions.ts'
import type { VqaQuestion, VqaVariant } from '../metrics/vqa/accuracy.ts'
import { evaluateVqa } from '../metrics/vqa/evaluate.ts'
import { pairAnswers } from '../metrics/vqa/json.ts'
import { imagePath } from './image-path.ts'
import type { Dataset, Sample } from './sample.ts'

/** `images` is the template of the images' paths. DataError for odd files, and for files of different splits. */
export function vqaDataset(
  questions: JsonFile,
  annotations: JsonFile | undefined,
  images: string,
  variant: VqaVariant,
): Dataset {
  const asked = readQuestions(questions, images)
  const results: Dataset['results'] = (samples, predictions) =>
    samples.map(({ id }) => ({ question_id: id, answer: predictions.get(id) }))
  if (annotations === undefined) return { samples: asked, results }

  const people = readPeople(questions, annotations, asked)
  return {
    samples: asked.map((sample) => ({
      ...sample,
      references: people.get(sample.id)!.answers.map(({ answer }) => answer),
    })),
    results,
    score(samples, predictions) {
      const chosen = samples.map(({ id }) => people.get(id)!)
      const answers = samples.map(({ id }) => predictions.get(id)!)
      const { overall, perAnswerType, perQuestionType, perQuestion } = evaluateVqa(chosen, answers, variant)
      return {
        measured: { overall, ...perAnswerType },
        perType: perQuestionType,
        shown: (score) => `accuracy ${score.toFixed(1)}`,
        bySample: new Map(samples.map(({ id }, i) => [id, perQuestion[i]!])),
      }
    },
  }
}

function readQuestions({ name, content }: JsonFile, images: string): Sample[] {
  const asked = byQuestion(objectAt(content, name).questions, `${name}: questions`, (entry, at) => {
    const image = idAt(entry.image_id, `${at}: image_id`)
    const question = textAt(entry.question, `${at}: question`)
    if (question.trim() === '') throw new DataError(`${at}: the question is empty`)
    return { image: imagePath(images, { id: image }, at), question, references: [] }
  })
  if (asked.size === 0) throw new DataError(`${name}: expected at least one question, found none`)
  return [...asked].map(([id, sample]) => ({ id, ...sample }))
}

/** With empty answers, so that an odd file is found before the model has given real ones. */
function readPeople(questions: JsonFile, annotations: JsonFile, asked: readonly Sample[]): Map<Id, VqaQuestion> {
  const empty = { name: questions.name, content: asked.map(({ id }) => ({ question_id: id, answer: '' })) }
  const paired = pairAnswers(questions, annotations, empty)
  return new Map(paired.ids.map((id, i) => [id, paired.questions[i]!]))
}
