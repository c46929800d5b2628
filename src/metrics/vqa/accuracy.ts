/**
 * VQA accuracy (Antol et al. 2015, section 5): an answer counts in proportion to how many of ten people gave it, in full from
 * three on. Three implementations are in use; on VQA v2 they differ little, on odd answers a lot.
 *
 * - `official`: `vqaEval.py` of github.com/GT-Vision-Lab/VQA (a013f00), the default: mean over the ten ways to leave one person
 *   out of min(1, others who agree / 3). Nothing is normalised where all ten gave the same text, so `Yes` against ten `yes` scores 0.
 * - `lavis`: its copy in LAVIS (lavis/common/vqa_tools/vqa_eval.py): the prediction is always normalised, the people's answers
 *   only lose their punctuation, and only where they differ.
 * - `mmpretrain`: `VQAAcc` of mmpretrain (mmpretrain/evaluation/metrics/vqa.py): both always normalised, min(1, share / 0.3),
 *   nobody left out.
 */
import { normaliseAnswer, stripPunctuation, trimAnswer } from './normalise.ts'

export interface PersonsAnswer {
  readonly answer: string
  /** What else the record holds, to tell two people apart who gave the same answer: its answer_id. */
  readonly record: string
}

export interface VqaQuestion {
  readonly questionType: string
  readonly answerType: string
  /** At least one. */
  readonly answers: readonly PersonsAnswer[]
}

export const vqaVariants = ['official', 'lavis', 'mmpretrain'] as const
export type VqaVariant = (typeof vqaVariants)[number]

/** Accuracy of one prediction, in [0, 1]. */
export function answerAccuracy(question: VqaQuestion, prediction: string, variant: VqaVariant = 'official'): number {
  switch (variant) {
    case 'official':
      return officialAccuracy(question.answers, prediction)
    case 'lavis':
      return lavisAccuracy(question.answers, prediction)
    case 'mmpretrain':
      return mmpretrainAccuracy(question.answers, prediction)
  }
}

function officialAccuracy(answers: readonly PersonsAnswer[], prediction: string): number {
  const trimmed = withTexts(answers, trimAnswer)
  const predicted = trimAnswer(prediction)
  return allEqual(trimmed)
    ? leaveOneOut(trimmed, predicted)
    : leaveOneOut(withTexts(trimmed, normaliseAnswer), normaliseAnswer(predicted))
}

function lavisAccuracy(answers: readonly PersonsAnswer[], prediction: string): number {
  const texts = allEqual(answers) ? answers : withTexts(answers, stripPunctuation)
  return leaveOneOut(texts, normaliseAnswer(trimAnswer(prediction)))
}

function mmpretrainAccuracy(answers: readonly PersonsAnswer[], prediction: string): number {
  const predicted = normaliseAnswer(trimAnswer(prediction))
  const agreeing = answers.filter(({ answer }) => normaliseAnswer(trimAnswer(answer)) === predicted)
  return Math.min(1, agreeing.length / answers.length / 0.3)
}

/** Leaves out whole records: of two equal ones both. */
function leaveOneOut(answers: readonly PersonsAnswer[], predicted: string): number {
  const scores = answers.map((left) => {
    const others = answers.filter(({ answer, record }) => answer !== left.answer || record !== left.record)
    return Math.min(1, others.filter(({ answer }) => answer === predicted).length / 3)
  })
  return scores.reduce((sum, score) => sum + score, 0) / scores.length
}

function withTexts(answers: readonly PersonsAnswer[], change: (text: string) => string): PersonsAnswer[] {
  return answers.map(({ answer, record }) => ({ answer: change(answer), record }))
}

function allEqual(answers: readonly PersonsAnswer[]): boolean {
  return answers.every(({ answer }) => answer === answers[0]?.answer)
}
