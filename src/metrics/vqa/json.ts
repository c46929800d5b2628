/**
 * The VQA files: questions `{"questions": [{"question_id"}]}`, annotations `{"annotations": [{"question_id", "question_type",
 * "answer_type", "answers": [{"answer", "answer_id"}]}]}`, results `[{"question_id", "answer"}]`. OK-VQA's are the same.
 */
import { DataError } from '../../errors.ts'
import { type Id, type JsonFile, objectAt, objectsAt, textAt } from '../json.ts'
import { byQuestion, readAnswers, requireIn } from '../questions.ts'
import type { VqaQuestion } from './accuracy.ts'

export interface AnsweredQuestions {
  /** In the order of the annotations, as all of the following. */
  readonly ids: readonly Id[]
  readonly questions: readonly VqaQuestion[]
  readonly predictions: readonly string[]
}

/** Every question with its people's answers and the prediction; all three files must have the same questions, each once. */
export function pairAnswers(questions: JsonFile, annotations: JsonFile, results: JsonFile): AnsweredQuestions {
  const asked = byQuestion(
    objectAt(questions.content, questions.name).questions,
    `${questions.name}: questions`,
    () => true,
  )
  const annotated = byQuestion(
    objectAt(annotations.content, annotations.name).annotations,
    `${annotations.name}: annotations`,
    readQuestion,
  )
  const answered = readAnswers(results)
  if (annotated.size === 0) throw new DataError(`${annotations.name}: expected at least one annotation, found none`)
  for (const [file, { name }] of [[asked, questions] as const, [answered, results] as const]) {
    requireIn(file, name, annotated, annotations.name)
    requireIn(annotated, annotations.name, file, name)
  }
  const ids = [...annotated.keys()]
  return { ids, questions: [...annotated.values()], predictions: ids.map((id) => answered.get(id)!) }
}

function readQuestion(entry: Readonly<Record<string, unknown>>, where: string): VqaQuestion {
  const answers = objectsAt(entry.answers, `${where}: answers`).map(({ entry: { answer, ...record }, at }) => ({
    answer: textAt(answer, `${at}.answer`),
    record: JSON.stringify(record),
  }))
  if (answers.length === 0) throw new DataError(`${where}: expected at least one answer, found none`)
  return {
    questionType: textAt(entry.question_type, `${where}: question_type`),
    answerType: textAt(entry.answer_type, `${where}: answer_type`),
    answers,
  }
}
