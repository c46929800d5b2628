/**
 * The VQA files: questions `{"questions": [{"question_id"}]}`, annotations `{"annotations": [{"question_id", "question_type",
 * "answer_type", "answers": [{"answer", "answer_id"}]}]}`, results `[{"question_id", "answer"}]`. OK-VQA's are the same.
 */
import { DataError } from '../../errors.ts'
import { type Id, idAt, type JsonFile, objectAt, objectsAt, shown, textAt } from '../json.ts'
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
  const answered = byQuestion(results.content, results.name, (entry, where) => textAt(entry.answer, `${where}: answer`))
  if (annotated.size === 0) throw new DataError(`${annotations.name}: expected at least one annotation, found none`)
  sameQuestions(asked, questions.name, annotated, annotations.name)
  sameQuestions(answered, results.name, annotated, annotations.name)
  const ids = [...annotated.keys()]
  return { ids, questions: [...annotated.values()], predictions: ids.map((id) => answered.get(id)!) }
}

function byQuestion<T>(
  list: unknown,
  where: string,
  read: (entry: Readonly<Record<string, unknown>>, where: string) => T,
): Map<Id, T> {
  const found = new Map<Id, T>()
  for (const { entry, at } of objectsAt(list, where)) {
    const id = idAt(entry.question_id, `${at}.question_id`)
    if (found.has(id)) throw new DataError(`${at}: question_id ${shown(id)} is there twice`)
    found.set(id, read(entry, `${at}: question_id ${shown(id)}`))
  }
  return found
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

function sameQuestions(
  a: ReadonlyMap<Id, unknown>,
  nameOfA: string,
  b: ReadonlyMap<Id, unknown>,
  nameOfB: string,
): void {
  missing(a, nameOfA, b, nameOfB)
  missing(b, nameOfB, a, nameOfA)
}

/** DataError for what `a` has and `b` has not. */
function missing(a: ReadonlyMap<Id, unknown>, nameOfA: string, b: ReadonlyMap<Id, unknown>, nameOfB: string): void {
  const ids = [...a.keys()].filter((id) => !b.has(id))
  if (ids.length === 0) return
  const others = ids.length === 1 ? '' : ` and ${ids.length - 1} others`
  throw new DataError(
    `${nameOfB}: question_id ${shown(ids[0])}${others} of ${nameOfA} not found; do the files belong to the same split?`,
  )
}
