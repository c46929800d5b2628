/** What the files of VQA and GQA have in common: entries by question, each question once, and the files of answers. */
import { DataError } from '../errors.ts'
import { type Id, idAt, type JsonFile, lookalike, objectsAt, shown, textAt } from './json.ts'

type Entry = Readonly<Record<string, unknown>>

/** Reads each entry of a list by its `question_id` (GQA: `questionId`). DataError for a question that is there twice. */
export function byQuestion<T>(
  list: unknown,
  where: string,
  read: (entry: Entry, where: string) => T,
  ids: (id: Id) => Id = (id) => id,
): Map<Id, T> {
  const found = new Map<Id, T>()
  for (const { entry, at } of objectsAt(list, where)) {
    const key = entry.question_id === undefined && entry.questionId !== undefined ? 'questionId' : 'question_id'
    const id = ids(idAt(entry[key], `${at}.${key}`))
    if (found.has(id)) throw new DataError(`${at}: ${key} ${shown(id)} is there twice`)
    found.set(id, read(entry, `${at}: ${key} ${shown(id)}`))
  }
  return found
}

/** Whose key for an answer it is: VQA's official form, LAVIS, GQA's official form, `blip2 vqa --json`. */
const answerKeys = ['answer', 'pred_ans', 'prediction', 'pred_answer']

/** The answer to each question: `[{"question_id", "answer"}]`, or with another of `answerKeys`. */
export function readAnswers({ name, content }: JsonFile, ids?: (id: Id) => Id): Map<Id, string> {
  const answer = (entry: Entry, where: string) => {
    const key = answerKeys.find((one) => entry[one] !== undefined) ?? 'answer'
    return textAt(entry[key], `${where}: ${key}`)
  }
  return byQuestion(content, name, answer, ids)
}

/** DataError for a question that `a` has and `b` has not; both are named, for the message. */
export function requireIn(
  a: ReadonlyMap<Id, unknown>,
  nameOfA: string,
  b: ReadonlyMap<Id, unknown>,
  nameOfB: string,
): void {
  const ids = [...a.keys()].filter((id) => !b.has(id))
  const [id] = ids
  if (id === undefined) return
  const others = ids.length === 1 ? '' : ` and ${ids.length - 1} others`
  const other = lookalike(id)
  const hint = b.has(other) ? `${shown(other)} is another id` : 'do the files belong to the same split?'
  throw new DataError(`${nameOfB}: question_id ${shown(id)}${others} of ${nameOfA} not found; ${hint}`)
}
