/** Folder `metrics`: the scores of captions, answers and retrieval beside those of the official tools, LAVIS and mmpretrain. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { evaluateRetrieval, transpose } from '../../src/metrics/retrieval/evaluate.ts'
import { readPairs } from '../../src/metrics/retrieval/json.ts'
import { bestRank, type ScoreMatrix, tieRules } from '../../src/metrics/retrieval/recall.ts'
import { vqaVariants } from '../../src/metrics/vqa/accuracy.ts'
import { evaluateVqa, type VqaScores } from '../../src/metrics/vqa/evaluate.ts'
import { pairAnswers } from '../../src/metrics/vqa/json.ts'
import { normaliseWords, stripPunctuation, trimAnswer } from '../../src/metrics/vqa/normalise.ts'
import { captionNotCovered, checkCaptions, differing, largest, readJson, tolerance } from './metrics-caption.ts'
import { attempt, type Check } from './report.ts'

const folder = 'metrics'

export async function checkMetrics(path: string): Promise<Check[]> {
  const parts = { caption: checkCaptions, vqa: checkVqa, retrieval: checkRetrieval }
  const checks: Check[] = []
  for (const [part, check] of Object.entries(parts))
    checks.push(...(await attempt(folder, part, async () => check(join(path, part)))))
  return checks
}

/** What a tree has no captions for, and the scores that only Java programs compute. */
export async function metricsNotCovered(path: string): Promise<string[]> {
  return [...captionNotCovered(join(path, 'caption')), 'metrics/caption: METEOR']
}

interface Accuracies {
  readonly overall: number
  readonly perAnswerType: Readonly<Record<string, number>>
  readonly perQuestionType: Readonly<Record<string, number>>
}

function checkVqa(path: string): Check[] {
  const file = (name: string) => ({ name, content: readJson(join(path, name)) })
  const { ids, questions, predictions } = pairAnswers(
    file('questions.json'),
    file('annotations.json'),
    file('results.json'),
  )
  const expected = readJson<{
    readonly per_question: readonly Readonly<Record<string, number>>[]
    readonly mmpretrain: { readonly acc: number }
    readonly official: { readonly full: Accuracies; readonly rounded: Accuracies }
    readonly lavis: { readonly full: Accuracies; readonly rounded: Accuracies }
  }>(join(path, 'accuracy.json'))
  const perQuestion = new Map(expected.per_question.map((one) => [one.question_id, one]))
  const checks = vqaVariants.flatMap((variant): Check[] => {
    const scores = evaluateVqa(questions, predictions, variant)
    const check = (name: string, difference: number, allowed = tolerance): Check => ({
      folder,
      variant: `vqa, ${variant}`,
      name,
      difference,
      tolerance: allowed,
    })
    const each = ids.map((id) => perQuestion.get(id as number)?.[variant] ?? Number.NaN)
    const questionsCheck = check('each question', largest(scores.perQuestion, each))
    if (variant === 'mmpretrain')
      return [check('overall', Math.abs(scores.overall - expected.mmpretrain.acc)), questionsCheck]
    const { full, rounded } = expected[variant]
    return [
      check('overall and by type', largest(flat(scores), flat(full))),
      check(
        'rounded',
        largest(
          flat(scores).map((value) => Number(value.toFixed(2))),
          flat(rounded),
        ),
        0,
      ),
      questionsCheck,
    ]
  })
  return [...checks, ...checkNormalisation(path)]
}

/** Overall, then by type, types by name. */
function flat({ overall, perAnswerType, perQuestionType }: Accuracies | VqaScores): number[] {
  const sorted = (types: Readonly<Record<string, number>>) =>
    Object.keys(types)
      .toSorted()
      .map((type) => types[type]!)
  return [overall, ...sorted(perAnswerType), ...sorted(perQuestionType)]
}

function checkNormalisation(path: string): Check[] {
  const { map } = readJson<{ map: Record<string, [string, string]> }>(join(path, 'normalisation.json'))
  const steps = Object.values(map)
  const stripped = Object.keys(map).map((answer) => stripPunctuation(trimAnswer(answer)))
  const check = (name: string, found: readonly string[], expected: readonly string[]): Check => ({
    folder,
    variant: 'vqa, normalisation.json',
    name,
    difference: differing(found, expected),
    tolerance: 0,
  })
  return [
    check(
      'punctuation',
      stripped,
      steps.map(([marks]) => marks),
    ),
    check(
      'words',
      stripped.map(normaliseWords),
      steps.map(([, words]) => words),
    ),
  ]
}

type Recalls = Readonly<Record<'R@1' | 'R@5' | 'R@10', number>>

interface RetrievalCase {
  readonly name: string
  readonly images: number
  readonly texts: number
  readonly i2t: string
  readonly t2i: string | null
  readonly img2txt: readonly (readonly number[])[]
  readonly txt2img: readonly number[]
  readonly ties: boolean
  readonly lavis: Readonly<Record<string, number>>
  readonly mmpretrain: Readonly<Record<'image_to_text' | 'text_to_image', Readonly<Record<string, number>>>>
  /** Without ties only `best`. */
  readonly bounds: Readonly<Record<'image_to_text' | 'text_to_image', Readonly<Record<string, Recalls>>>>
  readonly ranks?: { readonly image_to_text: readonly number[]; readonly text_to_image: readonly number[] }
}

function checkRetrieval(path: string): Check[] {
  const { cases } = readJson<{ readonly cases: readonly RetrievalCase[] }>(join(path, 'cases.json'))
  return cases.flatMap((one) => checkCase(path, one))
}

function checkCase(path: string, one: RetrievalCase): Check[] {
  const { name, images, texts, img2txt, txt2img, lavis, mmpretrain, bounds, ranks } = one
  const imageToText = matrix(join(path, one.i2t), images, texts)
  const textToImage = one.t2i === null ? undefined : matrix(join(path, one.t2i), texts, images)
  const pairs = readPairs(name, { img2txt, txt2img }, images, texts)
  const check = (what: string, found: readonly number[], expected: readonly number[]): Check => ({
    folder,
    variant: 'retrieval',
    name: `${name} ${what}`,
    difference: largest(found, expected),
    tolerance,
  })
  /** Recall at 1, 5 and 10, in both directions, for each rule; without ties the rules agree. */
  const byRule = tieRules.map((rule) => {
    const found = evaluateRetrieval(imageToText, textToImage, pairs, rule)
    const expected = [bounds.image_to_text, bounds.text_to_image].flatMap((all) => recalls(all[rule] ?? all.best!))
    return { found: [found.txt_r1, found.txt_r5, found.txt_r10, found.img_r1, found.img_r5, found.img_r10], expected }
  })
  const ties = check(
    'each rule for ties',
    byRule.flatMap(({ found }) => found),
    byRule.flatMap(({ expected }) => expected),
  )
  if (one.ties) return [ties]
  const found = evaluateRetrieval(imageToText, textToImage, pairs)
  const names = Object.keys(found) as (keyof typeof found)[]
  const checks = [
    ties,
    check(
      'lavis',
      names.map((key) => found[key]),
      names.map((key) => lavis[key]!),
    ),
    check(
      'mmpretrain',
      [found.txt_r1, found.txt_r5, found.txt_r10, found.img_r1, found.img_r5, found.img_r10],
      [mmpretrain.image_to_text, mmpretrain.text_to_image].flatMap((at) => [1, 5, 10].map((k) => at[`Recall@${k}`]!)),
    ),
  ]
  if (ranks) {
    const rank = (scores: ScoreMatrix, targets: readonly (readonly number[])[]) =>
      targets.map((columns, row) => bestRank(scores, row, columns))
    const found = [
      ...rank(imageToText, img2txt),
      ...rank(
        textToImage ?? transpose(imageToText),
        txt2img.map((image) => [image]),
      ),
    ]
    checks.push(check('ranks', found, [...ranks.image_to_text, ...ranks.text_to_image]))
  }
  return checks
}

function recalls(at: Recalls): number[] {
  return [at['R@1'], at['R@5'], at['R@10']]
}

function matrix(file: string, rows: number, columns: number): ScoreMatrix {
  return { rows, columns, data: new Float32Array(new Uint8Array(readFileSync(file)).buffer) }
}
