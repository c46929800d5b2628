/**
 * GQA's files. Questions: the official `{"<questionId>": {"question", "imageId", "answer", "isBalanced", "types": {"structural",
 * "semantic"}}}`, or LAVIS's `[{"question_id", "question", "image", "answer"}]`. Answers: the official `[{"questionId",
 * "prediction"}]`, `[{"question_id", "answer"}]`, or LAVIS's `[{"question_id", "pred_ans"}]`.
 */
import { DataError } from '../../errors.ts'
import { type Id, type JsonFile, objectAt, textAt } from '../json.ts'
import { byQuestion, readAnswers, requireIn } from '../questions.ts'
import type { GqaQuestion } from './evaluate.ts'

export interface AnsweredGqaQuestions {
  /** In the order of the question file, as all of the following. */
  readonly ids: readonly Id[]
  readonly questions: readonly GqaQuestion[]
  readonly predictions: readonly string[]
  /** Questions that the file says are not of the balanced set: they are not scored, as in the official evaluation. */
  readonly unbalanced: number
}

interface FileQuestion extends GqaQuestion {
  readonly balanced: boolean
}

/** The official files have texts for ids, LAVIS's numbers. */
const asText = (id: Id): Id => String(id)

/** Every balanced question with its prediction. DataError for odd files, repeated or unknown ids, questions without a prediction. */
export function pairGqaAnswers(questions: JsonFile, results: JsonFile): AnsweredGqaQuestions {
  const asked = readQuestions(questions)
  const scored = new Map([...asked].filter(([, { balanced }]) => balanced))
  if (scored.size === 0) throw new DataError(`${questions.name}: expected at least one question, found none`)
  const answered = readAnswers(results, asText)
  requireIn(answered, results.name, asked, questions.name)
  requireIn(scored, questions.name, answered, results.name)
  const ids = [...scored.keys()]
  return {
    ids,
    questions: [...scored.values()],
    predictions: ids.map((id) => answered.get(id)!),
    unbalanced: asked.size - scored.size,
  }
}

function readQuestions({ name, content }: JsonFile): Map<Id, FileQuestion> {
  if (Array.isArray(content)) return byQuestion(content, name, readQuestion, asText)
  return new Map(
    Object.entries(objectAt(content, name)).map(([id, entry]): [Id, FileQuestion] => {
      const where = `${name}: question ${JSON.stringify(id)}`
      return [id, readQuestion(objectAt(entry, where), where)]
    }),
  )
}

function readQuestion(entry: Readonly<Record<string, unknown>>, where: string): FileQuestion {
  if (entry.answer === undefined) throw new DataError(`${where} has no answer; those of the test split are not public`)
  const types = entry.types === undefined ? {} : objectAt(entry.types, `${where}: types`)
  return {
    answer: textAt(entry.answer, `${where}: answer`),
    ...typeAt(types, 'structural', where),
    ...typeAt(types, 'semantic', where),
    balanced: entry.isBalanced !== false,
  }
}

function typeAt(types: Readonly<Record<string, unknown>>, kind: 'structural' | 'semantic', where: string) {
  return types[kind] === undefined ? {} : { [kind]: textAt(types[kind], `${where}: types.${kind}`) }
}
