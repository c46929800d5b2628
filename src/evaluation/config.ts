/**
 * A benchmark as its configuration file describes it: the official files, the settings under which people measured (presets), and what
 * they published. `configs/*.yaml` are the ones that come with the package; docs/evaluation.md explains the fields.
 */
import { parse, YAMLParseError } from 'yaml'
import { z } from 'zod'
import { ConfigError } from '../errors.ts'
import { gqaVariants } from '../metrics/gqa/evaluate.ts'
import { vqaVariants } from '../metrics/vqa/accuracy.ts'
import { scoreRules } from '../tasks/retrieval/ranking.ts'
import { parseWith } from './schema.ts'
import { textRules } from './text.ts'

/** Reads a configuration. `where` begins every message. Throws ConfigError with one line per wrong field. */
export function parseBenchmark(yaml: string, where: string): Benchmark {
  let content: unknown
  try {
    content = parse(yaml)
  } catch (cause) {
    if (!(cause instanceof YAMLParseError)) throw cause
    throw new ConfigError(`${where}: not YAML: ${cause.message.split('\n')[0]?.replace(/:$/, '')}`, { cause })
  }
  return parseWith(benchmark, content, where)
}

/** Whatever is counted: beams, tokens, pixels, images. */
const count = z.int('expected a positive integer').min(1, 'expected a positive integer')
const number = z.number('expected a number')
const text = z.string('expected a text').min(1, 'expected a text')

/** A file, or (with the placeholders of image-path.ts) many of them: where it lies below the data folder and where it is to be had. */
const place = z.strictObject({ path: text, from: text })

const captionSplit = z.strictObject({ captions: place, images: place })
const questionSplit = z.strictObject({
  questions: place,
  /** Left out where the answers are not public: then there are results for the server, and no scores. */
  annotations: place.optional(),
  images: place,
})
const gqaSplit = z.strictObject({ questions: place, images: place })

/** How the language model is asked. */
const search = z.strictObject({
  /** What the text continues; `{}` is the question. */
  prompt: z.string('expected a text'),
  beams: count,
  max_new_tokens: count,
  /** Default 0. */
  min_new_tokens: z.int('expected an integer of at least 0').min(0, 'expected an integer of at least 0'),
  length_penalty: number,
  /** Default 1, which is none. */
  repetition_penalty: number.positive('expected a number above 0'),
})
const someSearch = search.partial()

const anyPreset = z.strictObject({
  /** Pixels of a side. */
  image_size: count,
  /** What a reader of the scores should know about these settings. */
  note: text.optional(),
})

/** Fields of the search stand in the preset, or under `opt` and `t5` where the language models differ. */
const generationPreset = anyPreset.extend({
  ...someSearch.shape,
  opt: someSearch.optional(),
  t5: someSearch.optional(),
})

const captionPreset = generationPreset.transform(completeSearch)
const vqaPreset = generationPreset
  .extend({ question_text: z.enum(textRules), accuracy: z.enum(vqaVariants) })
  .transform(completeSearch)
const gqaPreset = generationPreset
  .extend({ question_text: z.enum(textRules), accuracy: z.enum(gqaVariants) })
  .transform(completeSearch)

const retrievalPreset = anyPreset.extend({
  /** Candidates of a query. */
  k: count,
  /** How candidates are scored: by ITM alone (`paper`), or by ITM and ITC (`lavis`). */
  rule: z.enum(scoreRules),
  caption_text: z.enum(textRules),
  /** Tokens of a text, special ones counted; longer ones are cut. Default: 35, as released. */
  max_text_length: count.optional(),
})

/** Each language model's search in full. */
function completeSearch<Preset extends z.infer<typeof generationPreset>>(preset: Preset, context: z.RefinementCtx) {
  const complete = (family: 'opt' | 't5') => {
    const given = { min_new_tokens: 0, repetition_penalty: 1, ...preset, ...preset[family] }
    const result = z.object(search.shape).safeParse(given)
    if (result.success) return result.data
    const missing = result.error.issues.map(({ path }) => path.join('.')).join(', ')
    context.addIssue({ code: 'custom', message: `expected ${missing} here or under ${family}`, input: undefined })
    return z.NEVER
  }
  return { ...preset, opt: complete('opt'), t5: complete('t5') }
}

/** Metric → number as published, by split. */
const published = z.record(z.string(), z.record(z.string(), number))

const model = z.strictObject({
  published,
  /** Where the published numbers stand. */
  source: text,
  /** What this row was measured with, where it is not what the others were. */
  split: text.optional(),
  preset: text.optional(),
})

function benchmarkOf<Task extends string, Split extends z.ZodType, Preset extends z.ZodType>(
  task: Task,
  split: Split,
  preset: Preset,
) {
  return z.strictObject({
    task: z.literal(task),
    title: text,
    /** Of annotations and images: a note, not legal advice. */
    licence: text,
    /** The ones that are used when nothing is said. */
    split: text,
    preset: text,
    model: text,
    /** Models of the table by whose names alone this benchmark can be asked for. */
    aliases: z.array(text).default([]),
    splits: z.record(z.string(), split),
    presets: z.record(z.string(), preset),
    models: z.record(z.string(), model),
  })
}

const benchmark = z
  .discriminatedUnion(
    'task',
    [
      benchmarkOf('caption', captionSplit, captionPreset),
      benchmarkOf('vqa', questionSplit, vqaPreset),
      benchmarkOf('gqa', gqaSplit, gqaPreset),
      benchmarkOf('retrieval', captionSplit, retrievalPreset),
    ],
    {
      error: ({ code }) =>
        code === 'invalid_union' ? 'expected "caption", "vqa", "gqa" or "retrieval"' : 'expected a table',
    },
  )
  .check(({ value, issues }) => {
    const known = (path: string[], name: string | undefined, table: object) => {
      if (name === undefined || Object.hasOwn(table, name)) return
      issues.push({ code: 'custom', path, message: `expected one of ${Object.keys(table).join(', ')}`, input: name })
    }
    known(['split'], value.split, value.splits)
    known(['preset'], value.preset, value.presets)
    known(['model'], value.model, value.models)
    for (const [i, alias] of value.aliases.entries()) known(['aliases', String(i)], alias, value.models)
    for (const [name, row] of Object.entries(value.models)) {
      known(['models', name, 'split'], row.split, value.splits)
      known(['models', name, 'preset'], row.preset, value.presets)
      for (const split of Object.keys(row.published)) known(['models', name, 'published'], split, value.splits)
    }
  })

export type Benchmark = z.output<typeof benchmark>
export type BenchmarkOf<Task extends Benchmark['task']> = Extract<Benchmark, { task: Task }>
export type ModelRow = z.output<typeof model>
export type Place = z.output<typeof place>
export type Search = z.output<typeof search>
