/**
 * GQA accuracy (Hudson and Manning 2019, section 4.3): the share of questions whose predicted answer is the one right answer.
 *
 * - `official`: `eval.py` of the GQA data set (cs.stanford.edu/people/dorarad/gqa/evaluate.html), the default: the texts are compared
 *   as they stand, so `Yes` against `yes` is wrong.
 * - `lavis`: `GQATask` of LAVIS (lavis/tasks/vqa.py, 506965b): both texts are normalised as VQA answers are. `GQAAcc` of mmpretrain
 *   (mmpretrain/evaluation/metrics/gqa.py) does the same and reports a fraction. The paper's figures for BLIP-2 come from LAVIS.
 *
 * The official tool's other figures (consistency, validity, plausibility, distribution, grounding; accuracy by length and by steps)
 * are not computed here.
 */
import { DataError } from '../../errors.ts'
import { percent, percentByType } from '../percent.ts'
import { normaliseAnswer } from '../vqa/normalise.ts'

export interface GqaQuestion {
  /** The right one. */
  readonly answer: string
  /** `choose`, `compare`, `logical`, `query` or `verify`, where the file says it. */
  readonly structural?: string
  /** `attr`, `cat`, `global`, `obj` or `rel`, where the file says it. */
  readonly semantic?: string
}

export const gqaVariants = ['official', 'lavis'] as const
export type GqaVariant = (typeof gqaVariants)[number]

/** In percent, not rounded. The names are the official ones; a kind of question that does not occur is left out. */
export interface GqaScores {
  readonly accuracy: number
  /** Of the questions whose structural type is not `query`, which are answered with yes, no or one of two things named. */
  readonly binary?: number
  /** Of those whose structural type is `query`. */
  readonly open?: number
  readonly accuracyPerStructuralType: Readonly<Record<string, number>>
  readonly accuracyPerSemanticType: Readonly<Record<string, number>>
  /** 0 or 100, in the order of the questions. */
  readonly perQuestion: readonly number[]
}

/** `predictions[i]` answers `questions[i]`. DataError for no question, or for another number of predictions. */
export function evaluateGqa(
  questions: readonly GqaQuestion[],
  predictions: readonly string[],
  variant: GqaVariant = 'official',
): GqaScores {
  if (questions.length === 0 || predictions.length !== questions.length)
    throw new DataError(`expected an answer to each of ${questions.length} questions, found ${predictions.length}`)
  const compared = variant === 'lavis' ? normaliseAnswer : (answer: string) => answer
  const right = questions.map(({ answer }, i) => Number(compared(predictions[i]!) === compared(answer)))
  const byType = (type: (question: GqaQuestion) => string | undefined) => percentByType(questions.map(type), right)
  return {
    accuracy: percent(right),
    ...byType(({ structural }) => structural && (structural === 'query' ? 'open' : 'binary')),
    accuracyPerStructuralType: byType(({ structural }) => structural),
    accuracyPerSemanticType: byType(({ semantic }) => semantic),
    perQuestion: right.map((share) => 100 * share),
  }
}
