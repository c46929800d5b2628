import { answerAccuracy, type VqaQuestion, type VqaVariant } from './accuracy.ts'

/** In percent, not rounded (the official evaluation prints two decimals). The names are the official ones. */
export interface VqaScores {
  readonly overall: number
  readonly perQuestionType: Readonly<Record<string, number>>
  readonly perAnswerType: Readonly<Record<string, number>>
  /** In the order of the questions. */
  readonly perQuestion: readonly number[]
}

/** Means over the questions and within their types; `predictions[i]` answers `questions[i]`. At least one question. */
export function evaluateVqa(
  questions: readonly VqaQuestion[],
  predictions: readonly string[],
  variant: VqaVariant = 'official',
): VqaScores {
  const accuracies = questions.map((question, i) => answerAccuracy(question, predictions[i]!, variant))
  return {
    overall: percent(accuracies),
    perQuestionType: byType(
      questions.map(({ questionType }) => questionType),
      accuracies,
    ),
    perAnswerType: byType(
      questions.map(({ answerType }) => answerType),
      accuracies,
    ),
    perQuestion: accuracies.map((accuracy) => 100 * accuracy),
  }
}

function percent(accuracies: readonly number[]): number {
  return (100 * accuracies.reduce((sum, accuracy) => sum + accuracy, 0)) / accuracies.length
}

function byType(types: readonly string[], accuracies: readonly number[]): Record<string, number> {
  const groups = new Map<string, number[]>()
  types.forEach((type, i) => {
    const group = groups.get(type)
    if (group === undefined) groups.set(type, [accuracies[i]!])
    else group.push(accuracies[i]!)
  })
  return Object.fromEntries([...groups].map(([type, group]) => [type, percent(group)]))
}
