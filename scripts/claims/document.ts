/** The measured parts of docs/claims.md, which stand between `<!-- results:NAME -->` and `<!-- /results:NAME -->`. */
import { DataError } from '../../src/errors.ts'
import { lossNames } from './plots.ts'
import type { Figure5, Queries, Recalls, Results, State, Table6 } from './results.ts'

/** The document with what `results` say, and nothing else changed. Throws DataError where a section has no place in it. */
export function withResults(document: string, results: Results): string {
  return Object.entries(sections(results)).reduce((text, [name, section]) => {
    const [begin, end] = [`<!-- results:${name} -->`, `<!-- /results:${name} -->`]
    const [from, to] = [text.indexOf(begin), text.indexOf(end)]
    if (from < 0 || to < from) throw new DataError(`docs/claims.md: expected ${begin} and, behind it, ${end}`)
    return `${text.slice(0, from + begin.length)}\n${section}\n${text.slice(to)}`
  }, document)
}

function sections({ figure5, table6, queries }: Results): Readonly<Record<keyof Results, string>> {
  const none = 'Not measured yet: `npm run claims`.'
  return {
    figure5: figure5 ? figure5Section(figure5) : none,
    table6: table6 ? table6Section(table6) : none,
    queries: queries ? queriesSection(queries) : none,
  }
}

function figure5Section(figure5: Figure5): string {
  const { steps, batch, stage1_steps, stage1_batch, questions, blind } = figure5
  const rows = figure5.with.map((state, i) => {
    const other = figure5.without[i] as State
    return [
      count(state.step),
      ...[state.accuracy, other.accuracy].map(score),
      signed(state.accuracy - other.accuracy),
      ...[state.loss, other.loss].map((loss) => loss.toFixed(3)),
    ]
  })
  const [last, lastWithout] = [figure5.with.at(-1) as State, figure5.without.at(-1) as State]
  return [
    `Both runs have ${count(steps)} steps of ${count(batch)} samples; the first stage before one of them had ${count(stage1_steps)} ` +
      `of ${count(stage1_batch)}. Each state answers ${count(questions)} questions.`,
    '![VQA accuracy over the steps of stage 2](claims/figure5-accuracy.svg)',
    '![Validation loss over the steps of stage 2](claims/figure5-loss.svg)',
    table(['steps', 'accuracy with stage 1', 'without', 'difference', 'validation loss with stage 1', 'without'], rows),
    `The most frequent answer to each kind of question, given without looking, is right for ${score(blind)} %.`,
    `**Found:** after ${count(steps)} steps ${score(last.accuracy)} % with stage 1 and ${score(lastWithout.accuracy)} % without. ` +
      verdict(
        last.accuracy - lastWithout.accuracy,
        chance([last.accuracy, lastWithout.accuracy], questions),
        'The first stage helps, as in the paper.',
        'The first stage harms, unlike in the paper.',
      ),
  ].join('\n\n')
}

/** Li et al. 2023, table 6: COCO, fine-tuned. */
const published = [
  { losses: ['itc', 'itm'], txt_r1: 84.5, txt_r5: 96.2, img_r1: 67.2, img_r5: 87.1 },
  { losses: ['itc', 'itm', 'itg'], txt_r1: 85.4, txt_r5: 97.0, img_r1: 68.3, img_r5: 87.7 },
] as const

const recallsOf = ({ txt_r1, txt_r5, img_r1, img_r5 }: Recalls) => [txt_r1, txt_r5, img_r1, img_r5]
const recallNames = ['TR@1', 'TR@5', 'IR@1', 'IR@5']

function table6Section({ steps, batch, images, runs }: Table6): string {
  const [without, withItg] = runs as readonly [Table6['runs'][number], Table6['runs'][number]]
  const rowsOf = (where: string, pair: Table6['runs']) => {
    const [first, second] = pair.map(recallsOf) as [number[], number[]]
    return [
      ...pair.map((run) => [`${where}, ${lossNames(run.losses)}`, ...recallsOf(run).map(score)]),
      [`${where}, difference`, ...second.map((value, i) => signed(value - (first[i] as number)))],
    ]
  }
  const mean = ({ txt_r1, img_r1 }: Recalls) => (txt_r1 + img_r1) / 2
  return [
    `Each run has ${count(steps)} steps of ${count(batch)} samples, and searches among ${count(images)} images and their texts.`,
    '![Recall with and without ITG in stage 1](claims/table6.svg)',
    table(['', ...recallNames], [...rowsOf('paper', published), ...rowsOf('here', runs)]),
    `**Found:** recall at 1, the mean of both directions, is ${score(mean(withItg))} % with ITG and ${score(mean(without))} % without. ` +
      verdict(
        mean(withItg) - mean(without),
        chance([mean(withItg), mean(without)], images),
        'ITG helps retrieval, as in the paper.',
        'ITG harms retrieval, unlike in the paper.',
      ),
  ].join('\n\n')
}

function queriesSection(queries: Queries): string {
  const { stage1_steps, stage1_batch, stage2_steps, stage2_batch, images, questions, blind, runs } = queries
  const rows = runs.map((run) => [
    count(run.queries),
    score(run.accuracy),
    run.loss.toFixed(3),
    ...recallsOf(run).map(score),
  ])
  const [fewest, most] = [runs[0], runs.at(-1)] as [Queries['runs'][number], Queries['runs'][number]]
  return [
    `For each number ${count(stage1_steps)} steps of stage 1 with ${count(stage1_batch)} samples each, which are tested on ${count(images)} ` +
      `images and their texts, and from there ${count(stage2_steps)} of stage 2 with ${count(stage2_batch)}, tested on ${count(questions)} ` +
      `questions. Without looking, ${score(blind)} % of the answers are right.`,
    '![Scores by the number of queries](claims/queries.svg)',
    table(['queries', 'VQA accuracy', 'validation loss of stage 2', ...recallNames], rows),
    `**Found:** with ${fewest.queries} queries ${score(fewest.accuracy)} % of the answers are right, with ${most.queries} ${score(most.accuracy)} %. ` +
      verdict(
        most.accuracy - fewest.accuracy,
        chance([most.accuracy, fewest.accuracy], questions),
        'More queries answer better.',
        'Fewer queries answer better.',
      ),
  ].join('\n\n')
}

/** What a difference tells, given how large it may be by chance. */
function verdict(difference: number, byChance: number, more: string, less: string): string {
  const size = `The difference is ${signed(difference)}; up to ${score(byChance)} either way may be chance of what was asked.`
  if (Math.abs(difference) <= byChance) return `${size} So this does not tell which is better.`
  return `${size} ${difference > 0 ? more : less}`
}

/** Half the 95 % interval of the difference of two shares (percent) of `n` each, as if they were of different samples. */
export function chance(shares: readonly [number, number], n: number): number {
  return 1.96 * Math.sqrt(shares.reduce((sum, share) => sum + (share * (100 - share)) / n, 0))
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rule = `|${head.map((_, i) => (i === 0 ? '---|' : '---:|')).join('')}`
  return [line(head), rule, ...rows.map(line)].join('\n')
}

function score(value: number): string {
  return value.toFixed(1)
}

function signed(value: number): string {
  const text = Math.abs(value).toFixed(1)
  return `${Number(text) === 0 ? '±' : value > 0 ? '+' : '−'}${text}`
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
