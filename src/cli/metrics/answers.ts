import type { GqaVariant } from '../../metrics/gqa/evaluate.ts'
import type { Id } from '../../metrics/json.ts'
import { readJson } from '../../metrics/node-read.ts'
import type { VqaVariant } from '../../metrics/vqa/accuracy.ts'
import { createOutput, type Output } from '../output.ts'
import { scoreLines } from './lines.ts'

interface VqaFlags {
  readonly questions: string
  readonly annotations: string
  readonly results: string
  readonly variant: VqaVariant
  readonly perQuestion?: boolean
  readonly json?: boolean
}

interface GqaFlags {
  readonly questions: string
  readonly results: string
  readonly variant: GqaVariant
  readonly perQuestion?: boolean
  readonly json?: boolean
}

export async function scoreVqa(flags: VqaFlags): Promise<void> {
  const { questions, annotations, results, variant, json } = flags
  const { pairAnswers } = await import('../../metrics/vqa/json.ts')
  const { evaluateVqa } = await import('../../metrics/vqa/evaluate.ts')
  const answered = pairAnswers(await readJson(questions), await readJson(annotations), await readJson(results))
  const scores = evaluateVqa(answered.questions, answered.predictions, variant)
  const { overall, perQuestionType, perAnswerType, perQuestion } = scores
  const output = createOutput(json)
  if (flags.perQuestion) printQuestions(output, answered.ids, perQuestion)
  output.result(
    { overall, perAnswerType, perQuestionType, variant, questions: answered.ids.length },
    scoreLines([['overall', overall], ...Object.entries(perAnswerType), ...Object.entries(perQuestionType)], 2),
  )
}

export async function scoreGqa(flags: GqaFlags): Promise<void> {
  const { questions, results, variant, json } = flags
  const { pairGqaAnswers } = await import('../../metrics/gqa/json.ts')
  const { evaluateGqa } = await import('../../metrics/gqa/evaluate.ts')
  const output = createOutput(json)
  const answered = pairGqaAnswers(await readJson(questions), await readJson(results))
  if (answered.unbalanced > 0)
    output.note(`${answered.unbalanced} questions of ${questions} are not of the balanced set, not scored`)
  const { perQuestion, ...scores } = evaluateGqa(answered.questions, answered.predictions, variant)
  if (flags.perQuestion) printQuestions(output, answered.ids, perQuestion)
  const { accuracyPerStructuralType, accuracyPerSemanticType, ...main } = scores
  output.result(
    { ...scores, variant, questions: answered.ids.length },
    scoreLines([main, accuracyPerStructuralType, accuracyPerSemanticType].flatMap(Object.entries), 2),
  )
}

function printQuestions(output: Output, ids: readonly Id[], accuracies: readonly number[]): void {
  ids.forEach((question_id, i) => {
    const accuracy = accuracies[i]!
    output.result({ question_id, accuracy }, `${question_id}  ${accuracy.toFixed(2)}`)
  })
}
