/**
 * What is trained, on what and how: a recipe is a YAML file of these fields. Everything that decides the numbers is in it or in the
 * files that it names, so a recipe and its seed give the same model again.
 */
import { z } from 'zod'
import { ConfigError } from '../errors.ts'

/**
 * - `contrastive`: an image encoder from nothing, with a text encoder that is thrown away (CLIP; not part of the paper).
 * - `language-model`: an OPT from nothing, on texts (not part of the paper).
 * - `stage1`: ITC, ITM and ITG over the frozen encoder (section 3.2). With `image_ids`, as COCO retrieval is fine-tuned.
 * - `stage2`: the Q-Former's queries before a frozen language model (section 3.3). With questions in the data: VQA.
 */
export const objectives = ['contrastive', 'language-model', 'stage1', 'stage2'] as const

const path = z.string().min(1, 'expected a path or name')
const positive = z.number().positive('expected a positive number')
const notNegative = z.number().min(0, 'expected 0 or a positive number')
const count = z.int('expected a whole number').min(1, 'expected a whole number of at least 1')
const beta = z.number().min(0, 'expected a number from 0 to below 1').lt(1, 'expected a number from 0 to below 1')
const share = z.number().min(0, 'expected a number from 0 to 1').max(1, 'expected a number from 0 to 1')

const weight = positive.default(1)
const source = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({ kind: z.literal('captions'), annotations: path, images: path, weight }),
    z.strictObject({
      kind: z.literal('vqa'),
      questions: path,
      annotations: path.optional(),
      images: path,
      image_name: z.string().optional(),
      weight,
    }),
    z.strictObject({ kind: z.literal('folder'), images: path, weight }),
    z.strictObject({ kind: z.literal('table'), file: path, images: path.optional(), weight }),
    z.strictObject({ kind: z.literal('shards'), files: path, buffer: count.optional(), weight }),
    z.strictObject({ kind: z.literal('text'), file: path, weight }),
  ],
  'expected a kind of data: captions, vqa, folder, table, shards or text',
)

/** What may be taken of a checkpoint: the part that is called so, or all that trains with the Q-Former. */
export const checkpointParts = ['image encoder', 'language model', 'Q-Former'] as const

const checkpoint = z.union(
  [
    path,
    z.strictObject({
      checkpoint: path,
      only: z.enum(checkpointParts, `expected one of ${checkpointParts.join(', ')}`),
    }),
  ],
  'expected a path or name, or {checkpoint, only}',
)

/** The fields. What goes with what is looked at by `parseRecipe`. */
export const recipeSchema = z.strictObject({
  objective: z.enum(objectives, `expected one of ${objectives.join(', ')}`),
  /** Folder of the run: checkpoints, log, report and the finished model. Relative to the current folder. */
  output: path,
  /** Decides the order of the data, the fresh weights, and everything else that is drawn. */
  seed: z.int().default(1),

  model: z.strictObject({
    /** config.json of the model, as fields; or its file. Default: that of the first of `from`. */
    config: z.union([path, z.record(z.string(), z.unknown())], 'expected a file, or fields').optional(),
    /**
     * Checkpoints that have weights to begin with, by any name, folder or file; the first that has a weight gives it. `only` takes a part:
     * the image encoder of a BLIP-2 whose Q-Former is to be made anew.
     */
    from: z.array(checkpoint).default([]),
    /** Folder or name of the tokenizer: of the Q-Former's texts, in stage 2 of the language model's. */
    tokenizer: path.optional(),
    /** Where `config` has qformer_reads_question: folder or name of the tokenizer of the Q-Former's questions. */
    qformer_tokenizer: path.optional(),
    /** Standard deviation of the weights that no checkpoint gives. The published 0.02 is for wide models: 1/√hidden_size suits narrow ones. */
    initial_deviation: positive.default(0.02),
    /** Train the image encoder too (fine-tuning). */
    train_image_encoder: z.boolean().default(false),
    /** Each block of the encoder learns at this part of the rate of the one behind it (layer-wise decay; LAVIS: 0.95 for retrieval). */
    layer_decay: share.default(1),
  }),

  data: z.strictObject({
    /** Folder that relative paths below start from; default: that of the recipe. */
    root: path.optional(),
    train: z.array(source).min(1, 'expected at least one set'),
    validation: z.array(source).default([]),
    /** Pixels of a side. Default: that of the model. */
    image_size: count.optional(),
    /** Least and most of the area that a random part of each picture shows; absent: all of it. */
    crop: z.tuple([share, share]).optional(),
    mirror: z.boolean().default(false),
    /** Tokens of a text, special ones counted (LAVIS: 32). Of one token nothing is to be predicted. */
    max_text_length: z.int('expected a whole number').min(2, 'expected a whole number of at least 2').default(32),
    /** Text before every caption, which is read and not trained on (LAVIS's captioning: "a photo of"). */
    prompt: z.string().default(''),
    /** Keep the frozen encoder's output on disk as float16, so that later passes skip it. Views are then fixed. */
    cache_features: z.boolean().default(false),
    /** Samples of a same image count as matching (LAVIS's retrieval fine-tuning). */
    image_ids: z.boolean().default(false),
  }),

  /** Samples of a step, in `accumulate` parts that are computed one after the other. */
  batch: count,
  accumulate: count.default(1),
  /** Compute what is inside of each layer again for its gradient, so that it need not wait in memory: the same numbers, in more time. */
  recompute: z.boolean().default(false),
  steps: count,

  /** AdamW, in the terms of the paper. */
  optimiser: z
    .strictObject({
      weight_decay: notNegative.default(0.05),
      beta1: beta.default(0.9),
      beta2: beta.default(0.98),
      eps: positive.default(1e-8),
      /** Largest norm of all gradients together; absent: as it is (the released code does not clip). */
      clip: positive.optional(),
    })
    .prefault({}),

  /** `cosine`: per step, as in the paper. `lavis`: per epoch, with the warm-up inside the first, as released. */
  schedule: z.strictObject({
    kind: z.enum(['cosine', 'lavis']).default('cosine'),
    peak: positive,
    min: notNegative.default(0),
    warmup_steps: z.int().min(0).default(0),
    warmup_start: notNegative.default(0),
    /** Of `lavis`. */
    steps_per_epoch: count.optional(),
  }),

  /** What stage 1 sums, with weights of 1 as released (the paper's table 6 leaves ITG out). */
  losses: z
    .array(z.enum(['itc', 'itm', 'itg']))
    .min(1)
    .default(['itc', 'itm', 'itg']),

  checkpoints: z.strictObject({ every: count.default(1000), keep: count.default(2) }).prefault({}),
  /** Steps between lines of the log. */
  log_every: count.default(10),
  /** Validation batches and example captions at each checkpoint. */
  validation_batches: count.default(8),
  examples: z.int().min(0).default(6),
})

export type Recipe = z.infer<typeof recipeSchema>
export type DataSpec = z.infer<typeof source>

export interface Origin {
  /** Path or name. */
  readonly checkpoint: string
  readonly only?: (typeof checkpointParts)[number]
}

/** The entries of `model.from` in their long form. */
export function originsOf({ model }: Recipe): Origin[] {
  return model.from.map((entry) => (typeof entry === 'string' ? { checkpoint: entry } : entry))
}

/** Whether texts are read by the Q-Former, or by its stand-in, and compared with images. Else a language model says them. */
export function comparesTexts({ objective }: Pick<Recipe, 'objective'>): boolean {
  return objective === 'stage1' || objective === 'contrastive'
}

/** Reads a parsed recipe. Throws ConfigError with one line per wrong field. */
export function parseRecipe(yaml: unknown, where: string): Recipe {
  const result = recipeSchema.safeParse(yaml)
  if (!result.success) {
    const lines = result.error.issues.map(({ path, code, message }) => {
      const field = path.length === 0 ? '' : ` ${path.join('.')}:`
      const expected = /^Invalid input: (.*), received /.exec(message)?.[1] ?? message
      const found = code === 'unrecognized_keys' ? '' : `, found ${shown(valueAt(yaml, path))}`
      return `${where}:${field} ${expected}${found}`
    })
    throw new ConfigError(lines.join('\n'))
  }
  const lines = conflicts(result.data).map((line) => `${where}: ${line}`)
  if (lines.length > 0) throw new ConfigError(lines.join('\n'))
  return result.data
}

function valueAt(yaml: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], yaml)
}

function shown(input: unknown): string {
  const text = input === undefined ? 'nothing' : JSON.stringify(input)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

/** What the fields do not allow of each other. An option that would do nothing is refused, not ignored. */
function conflicts(recipe: Recipe): string[] {
  const { objective, model, data, batch, accumulate, schedule, losses } = recipe
  const problems: string[] = []
  const require = (good: boolean, field: string, expected: string, found: unknown) => {
    if (!good) problems.push(`${field}: expected ${expected}, found ${shown(found)}`)
  }
  const trainsEncoder = model.train_image_encoder || objective === 'contrastive'
  const hasImages = objective !== 'language-model'

  require(batch % accumulate === 0, 'batch', `a multiple of accumulate, ${accumulate}`, batch)
  if (data.crop)
    require(data.crop[0] > 0 &&
      data.crop[0] <= data.crop[1], 'data.crop', 'two areas, the smaller one first', data.crop)
  if (schedule.kind === 'lavis')
    require(schedule.steps_per_epoch !==
      undefined, 'schedule.steps_per_epoch', 'the steps of an epoch, which the schedule "lavis" goes by', schedule.steps_per_epoch)
  else
    require(schedule.steps_per_epoch ===
      undefined, 'schedule.steps_per_epoch', 'nothing, as only the schedule "lavis" goes by epochs', schedule.steps_per_epoch)

  const only = (field: string, found: unknown, unset: unknown, allowed: boolean, why: string) =>
    require(allowed || found === unset, field, `${shown(unset)} ${why}`, found)
  const ofObjective = `for the objective ${objective}`
  only(
    'model.train_image_encoder',
    model.train_image_encoder,
    false,
    objective === 'stage1' || objective === 'stage2',
    ofObjective,
  )
  only('model.layer_decay', model.layer_decay, 1, trainsEncoder, 'where the image encoder does not train')
  only(
    'data.cache_features',
    data.cache_features,
    false,
    hasImages && !trainsEncoder,
    'where no frozen image encoder is used',
  )
  only('data.image_size', data.image_size, undefined, hasImages, ofObjective)
  only('data.crop', data.crop, undefined, hasImages, ofObjective)
  only('data.mirror', data.mirror, false, hasImages, ofObjective)
  only('data.image_ids', data.image_ids, false, comparesTexts(recipe), ofObjective)
  only('data.prompt', data.prompt, '', objective === 'stage2', ofObjective)
  require(objective === 'stage1' || losses.length === 3, 'losses', `nothing ${ofObjective}`, losses)
  require(new Set(losses).size === losses.length, 'losses', 'each once', losses)

  for (const part of ['train', 'validation'] as const) {
    for (const [i, { kind }] of data[part].entries()) {
      const field = `data.${part}.${i}.kind`
      if (hasImages) require(kind !== 'text', field, `data with images ${ofObjective}`, kind)
      if (objective !== 'stage2') require(kind !== 'vqa', field, `captions ${ofObjective}`, kind)
    }
  }
  return problems
}
