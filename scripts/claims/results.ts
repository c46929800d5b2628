/** docs/claims/results.json: what was measured for each claim. Scores are percent; losses are those of validation. */
import type { LogLine } from '../../src/training/log.ts'

export interface Results {
  readonly figure5?: Figure5
  readonly table6?: Table6
  readonly queries?: Queries
}

/** A state of a run of stage 2. */
export interface State {
  readonly step: number
  readonly accuracy: number
  readonly loss: number
}

export interface Figure5 {
  readonly steps: number
  readonly batch: number
  /** Of the first stage that one of the runs begins with. */
  readonly stage1_steps: number
  readonly stage1_batch: number
  readonly questions: number
  /** Accuracy of who does not look: `blindAccuracy`. */
  readonly blind: number
  readonly with: readonly State[]
  readonly without: readonly State[]
}

/** Recall at 1 and 5 of the texts of an image and of the images of a text. */
export interface Recalls {
  readonly txt_r1: number
  readonly txt_r5: number
  readonly img_r1: number
  readonly img_r5: number
}

export interface Table6 {
  readonly steps: number
  readonly batch: number
  readonly images: number
  readonly runs: readonly ({ readonly losses: readonly string[] } & Recalls)[]
}

export interface Queries {
  readonly stage1_steps: number
  readonly stage1_batch: number
  readonly stage2_steps: number
  readonly stage2_batch: number
  readonly images: number
  readonly questions: number
  readonly blind: number
  readonly runs: readonly ({ readonly queries: number; readonly accuracy: number; readonly loss: number } & Recalls)[]
}

/** What VQA's annotations say of a question that is needed here. */
export interface AnsweredQuestion {
  readonly question_type: string
  readonly answer_type: string
  readonly multiple_choice_answer: string
}

/**
 * Percent of the questions that are answered right by always saying what is most frequent in training: for the kind of the question, and for
 * kinds that training does not have, for the type of the answer.
 */
export function blindAccuracy(training: readonly AnsweredQuestion[], asked: readonly AnsweredQuestion[]): number {
  const ofKind = mostFrequent(training, ({ question_type }) => question_type)
  const ofType = mostFrequent(training, ({ answer_type }) => answer_type)
  const right = asked.filter(
    (question) =>
      (ofKind.get(question.question_type) ?? ofType.get(question.answer_type)) === question.multiple_choice_answer,
  )
  return (100 * right.length) / asked.length
}

/** For each group its most frequent answer, the earlier one of two. */
function mostFrequent(
  questions: readonly AnsweredQuestion[],
  groupOf: (question: AnsweredQuestion) => string,
): ReadonlyMap<string, string> {
  const groups = new Map<string, Map<string, number>>()
  for (const question of questions) {
    const counts = groups.get(groupOf(question)) ?? new Map<string, number>()
    groups.set(groupOf(question), counts)
    counts.set(question.multiple_choice_answer, (counts.get(question.multiple_choice_answer) ?? 0) + 1)
  }
  return new Map(Array.from(groups, ([group, counts]) => [group, [...counts].sort((a, b) => b[1] - a[1])[0]![0]]))
}

/** Step and loss of each validation of a run. */
export function validations(lines: readonly LogLine[]): { readonly step: number; readonly loss: number }[] {
  return lines.flatMap(({ kind, step, loss }) => (kind === 'validation' ? [{ step, loss }] : []))
}
