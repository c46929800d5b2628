/** Folder `metrics/caption`: token streams and scores of the official tools, for every set that the tree has. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pairCaptions } from '../../src/metrics/caption/coco.ts'
import { createCorpus, type TokenizedImages } from '../../src/metrics/caption/corpus.ts'
import {
  type CaptionedImages,
  type CaptionMetric,
  type CaptionScores,
  scoreCorpus,
  tokenizeImages,
} from '../../src/metrics/caption/evaluate.ts'
import { tokenize } from '../../src/metrics/caption/ptb-tokenizer.ts'
import { type CaptionFile, heldOut, scaled } from '../support/caption-sets.ts'
import type { Check } from './report.ts'

const folder = 'metrics'
/** README of the reference tree: the order of summation is the only freedom. */
export const tolerance = 1e-9

const metrics: readonly CaptionMetric[] = ['Bleu_1', 'Bleu_2', 'Bleu_3', 'Bleu_4', 'ROUGE_L', 'CIDEr']

/** Captions that people wrote: not ours to copy, so that a tree may lack them. */
const ofPeople = [
  'fakecap/scores.json',
  'heldout-human/scores.json',
  'mismatched/scores.json',
  'adversarial/scores.json',
  'fakecap-1000/published.json',
  'tokenizer/captions.jsonl',
  'large-set-scores.json',
]

export function captionNotCovered(path: string): string[] {
  return ofPeople.filter((file) => !existsSync(join(path, file))).map((file) => `metrics/caption/${file}`)
}

export function checkCaptions(path: string): Check[] {
  const folders = readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
  return [
    ...checkEdgeCases(path),
    ...checkTokenizer(join(path, 'tokenizer')),
    ...folders.filter((name) => existsSync(join(path, name, 'scores.json'))).flatMap((name) => checkSet(path, name)),
    ...folders
      .filter((name) => existsSync(join(path, name, 'published.json')))
      .map((name) => checkPublished(path, name)),
    ...(existsSync(join(path, 'large-set-scores.json')) ? checkLargeSets(path) : []),
  ]
}

/** What the official tools found, per image in the order of the annotation file. */
interface Expected {
  readonly corpus: Readonly<Record<CaptionMetric, number>>
  readonly per_image: Readonly<Record<CaptionMetric, readonly number[]>>
  readonly bleu_totals: CaptionScores['bleuTotals']
}

/** One check for each score, and one for the counts of BLEU. */
function compareScores(variant: string, found: CaptionScores, expected: Expected): Check[] {
  const scores = metrics.map((metric) => ({
    folder,
    variant,
    name: metric,
    difference: scoreDifference(found, expected, metric),
    tolerance,
  }))
  return [...scores, { folder, variant, name: 'counts', difference: countDifference(found, expected), tolerance: 0 }]
}

/** The largest of the corpus and of an image. */
function scoreDifference({ metrics: found }: CaptionScores, { corpus, per_image }: Expected, metric: CaptionMetric) {
  return largest([found[metric].corpus, ...found[metric].perImage], [corpus[metric], ...per_image[metric]])
}

function countDifference({ bleuTotals: found }: CaptionScores, { bleu_totals }: Pick<Expected, 'bleu_totals'>): number {
  const flat = ({ testlen, reflen, guess, correct }: CaptionScores['bleuTotals']) =>
    [testlen, reflen, ...guess, ...correct] as const
  return largest(flat(found), flat(bleu_totals))
}

function checkEdgeCases(path: string): Check[] {
  interface Case extends Expected {
    readonly name: string
    readonly gts: Readonly<Record<string, readonly string[]>>
    readonly res: Readonly<Record<string, readonly [string]>>
  }
  return readJson<readonly Case[]>(join(path, 'edge-cases.json')).map(({ name, gts, res, ...expected }) => {
    const ids = Object.keys(gts)
    const images = { candidates: ids.map((id) => res[id]![0]), references: ids.map((id) => gts[id]!) }
    const found = scoreCorpus(createCorpus(images))
    const differences = metrics.map((metric) => scoreDifference(found, expected, metric))
    const difference = Math.max(...differences, countDifference(found, expected))
    return { folder, variant: 'edge-cases.json', name, difference, tolerance }
  })
}

function checkTokenizer(path: string): Check[] {
  interface Call {
    readonly raw: readonly string[]
    readonly tok: readonly string[]
  }
  const wholeCalls = readJson<readonly Call[]>(join(path, 'whole-calls.json'))
  const checks = wholeCalls.map(({ raw, tok }, i) => tokens('whole-calls.json', `call ${i}`, tokenize(raw), tok))
  const lines = readdirSync(path).filter((name) => name.endsWith('.jsonl'))
  return [...checks, ...lines.flatMap((name) => checkLines(join(path, name), name))]
}

/** A file of captions: alone, as `tok` says or `tok_alone` where that is another, and in the one call of `captions.jsonl`. */
function checkLines(path: string, variant: string): Check[] {
  interface Line {
    readonly raw: string
    readonly tok: string
    readonly tok_alone?: string
  }
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Line => JSON.parse(line))
  const raw = lines.map((line) => line.raw)
  const alone = tokens(
    variant,
    'each alone',
    raw.flatMap((caption) => tokenize([caption])),
    lines.map(({ tok, tok_alone }) => tok_alone ?? tok),
  )
  if (variant === 'alone.jsonl') return [alone]
  return [
    alone,
    tokens(
      variant,
      'in one call',
      tokenize(raw),
      lines.map(({ tok }) => tok),
    ),
  ]
}

/** Annotations and results as files, to tokens and scores. */
function checkSet(path: string, name: string): Check[] {
  interface Scores extends Expected {
    readonly image_ids: readonly number[]
    readonly tokenized_results: readonly string[]
    readonly tokenized_references: readonly (readonly string[])[]
  }
  const { image_ids, tokenized_results, tokenized_references, ...expected } = readJson<Scores>(
    join(path, name, 'scores.json'),
  )
  const images = pairCaptions(
    { name: 'annotations', content: readJson(annotationsOf(path, name)) },
    { name: 'results', content: readJson(join(path, name, 'results.json')) },
  )
  const tokenized = tokenizeImages(images)
  return [
    { folder, variant: name, name: 'images', difference: differing(images.imageIds, image_ids), tolerance: 0 },
    tokens(name, 'tokens of candidates', tokenized.candidates, tokenized_results),
    tokens(name, 'tokens of references', tokenized.references.flat(), tokenized_references.flat()),
    ...compareScores(name, scoreCorpus(createCorpus(tokenized)), expected),
  ]
}

/** A set's own annotations, or those beside the sets (`annotations-400.json`). */
function annotationsOf(path: string, name: string): string {
  const own = join(path, name, 'annotations.json')
  if (existsSync(own)) return own
  const shared = readdirSync(path).find((file) => /^annotations.*\.json$/.test(file))
  if (shared === undefined) throw new Error(`${name}: no annotations`)
  return join(path, shared)
}

/** Candidates whose tokens are known, and no more. */
function checkPublished(path: string, name: string): Check {
  const results = readJson<readonly { readonly caption: string }[]>(join(path, name, 'results.json'))
  const { tokenized_results } = readJson<{ tokenized_results: string[] }>(join(path, name, 'published.json'))
  return tokens(name, 'tokens of candidates', tokenize(results.map(({ caption }) => caption)), tokenized_results)
}

function checkLargeSets(path: string): Check[] {
  interface Large extends Omit<Expected, 'per_image'> {
    readonly images: number
    readonly per_image_sum: Readonly<Record<CaptionMetric, number>>
    readonly per_image_first_20: Partial<Readonly<Record<CaptionMetric, readonly number[]>>>
  }
  const file = readJson<CaptionFile>(join(path, 'val2017-captions.json'))
  const build = (name: string, count: number): CaptionedImages => {
    if (name.endsWith('-heldout')) return heldOut(file)
    if (name.startsWith('scale-')) return scaled(file, count)
    throw new Error(`large-set-scores.json: ${name}: no rule to make it`)
  }
  return Object.entries(readJson<Record<string, Large>>(join(path, 'large-set-scores.json'))).flatMap(
    ([name, expected]) => {
      const tokenized: TokenizedImages = tokenizeImages(build(name, expected.images))
      const found = scoreCorpus(createCorpus(tokenized))
      const checks = metrics.map((metric): Check => {
        const { corpus, perImage } = found.metrics[metric]
        const mean = perImage.reduce((sum, score) => sum + score, 0) / perImage.length
        const first = expected.per_image_first_20[metric] ?? []
        const difference = largest(
          [corpus, mean, ...perImage.slice(0, first.length)],
          [expected.corpus[metric], expected.per_image_sum[metric] / expected.images, ...first],
        )
        return { folder, variant: name, name: metric, difference, tolerance }
      })
      return [
        ...checks,
        { folder, variant: name, name: 'counts', difference: countDifference(found, expected), tolerance: 0 },
      ]
    },
  )
}

/** The number of captions with other tokens. */
function tokens(variant: string, name: string, found: readonly string[], expected: readonly string[]): Check {
  return { folder, variant, name, difference: differing(found, expected), tolerance: 0 }
}

export function differing(found: readonly unknown[], expected: readonly unknown[]): number {
  if (found.length !== expected.length || found.length === 0) return Number.POSITIVE_INFINITY
  return found.filter((one, i) => one !== expected[i]).length
}

/** NaN where there is nothing to compare, or another number of values. */
export function largest(found: readonly number[], expected: readonly number[]): number {
  if (found.length !== expected.length || found.length === 0) return Number.NaN
  return found.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0)
}

export function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8'))
}
