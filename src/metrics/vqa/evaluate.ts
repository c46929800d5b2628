import { DataError } from '../../errors.ts'
import { percent, percentByType } from '../percent.ts'
import { answerAccuracy, type VqaQuestion, type VqaVariant } from './accuracy.ts'

/** In percent, not rounded (the official evaluation prints two decimals). The names are the official ones. */
export interface VqaScores {
  readonly overall: number
  readonly perQuestionType: Readonly<Record<string, number>>
  readonly perAnswerType: Readonly<Record<string, number>>
  /** In the order of the questions. */
  readonly perQuestion: readonly number[]
}

/**
 * VQA accuracy, which is OK-VQA's too: means over the questions and within their types; `predictions[i]` answers `questions[i]`. What
 * the variants are: `answerAccuracy`. DataError for no question, or for another number of predictions.
 */
export function evaluateVqa(
  questions: readonly VqaQuestion[],
  predictions: readonly string[],
  variant: VqaVariant = 'official',
): VqaScores {
  if (questions.length === 0 || predictions.length !== questions.length)
    throw new DataError(`expected an answer to each of ${questions.length} questions, found ${predictions.length}`)
  const accuracies = questions.map((question, i) => answerAccuracy(question, predictions[i]!, variant))
  const byType = (type: (question: VqaQuestion) => string) => percentByType(questions.map(type), accuracies)
  return {
    overall: percent(accuracies),
    perQuestionType: byType(({ questionType }) => questionType),
    perAnswerType: byType(({ answerType }) => answerType),
    perQuestion: accuracies.map((accuracy) => 100 * accuracy),
  }
}
