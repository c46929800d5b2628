/** Tokens and scores that the package's own engine generates for each case of `generate`, one image at a time and batched. */
import { basename, join } from 'node:path'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import type { GenerationOptions } from '../../src/generation/options.ts'
import type { GeneratedSequence } from '../../src/generation/sequence.ts'
import type { Blip2Config } from '../../src/models/config.ts'
import { openDevice } from '../../src/runtime/node.ts'
import { createDecoder } from '../../src/tasks/decoder.ts'
import { createEngine, type Engine, type Prompted } from '../../src/tasks/engine.ts'
import { createSessions, type Sessions } from '../../src/tasks/sessions.ts'
import type { Reference } from '../support/reference.ts'
import { floats } from '../support/tensors.ts'
import { largestDifference, tolerances } from './compare.ts'
import { rows } from './layout.ts'
import type { Check } from './report.ts'

/** A case of cases.json. Sequences begin with the start token and end with the end token, if one came. */
interface GenerationCase {
  readonly name: string
  readonly inputs: string
  readonly args: Readonly<Record<string, unknown>>
  /** (images, sequences per image, tokens). */
  readonly sequences_single: readonly (readonly (readonly number[])[])[]
  readonly sequences_batched: readonly (readonly number[])[]
  /** (images, sequences per image); of beam search only. */
  readonly sequences_scores_single?: readonly (readonly number[])[]
}

export async function checkGeneration(reference: Reference, fileConfig: Blip2Config): Promise<Check[]> {
  const config = endingWith(fileConfig, reference.facts.eos_token_id as number)
  const { tensors } = await openCheckpoint(join(reference.folder, 'model.safetensors'))
  const device = await openDevice({ threads: 1 })
  const sessions = createSessions(device, config, tensors)
  const engine = createEngine(sessions)
  try {
    const cases = reference.facts.generate as readonly GenerationCase[]
    const checks: Check[] = []
    for (const one of cases) checks.push(...(await checkCase(reference, config, engine, one)))
    const greedy = cases.find(({ name }) => name === 'greedy')
    if (greedy) checks.push(await checkSteps(reference, config, engine, sessions, greedy))
    return checks
  } finally {
    await engine.dispose()
  }
}

/** The cases name the end token that they were made with. */
function endingWith(config: Blip2Config, eos: number): Blip2Config {
  return { ...config, text_config: { ...config.text_config, eos_token_id: [eos] } } as Blip2Config
}

async function checkCase(
  reference: Reference,
  config: Blip2Config,
  engine: Engine,
  one: GenerationCase,
): Promise<Check[]> {
  const items = await promptedImages(reference, config, engine, one.inputs)
  const options = optionsOf(one.args)
  const single: GeneratedSequence[][] = []
  for (const item of items) single.push(...(await engine.generate([item], options)))
  const batched = await engine.generate(items, options)
  const folder = basename(reference.folder)
  return [['one image at a time', single] as const, ['batched', batched] as const].flatMap(([how, found]) => {
    const variant = `generate, ${how}`
    const tokens = {
      folder,
      variant,
      name: `${one.name} tokens`,
      difference: differing(one, found, reference),
      tolerance: 0,
    }
    const scores = {
      folder,
      variant,
      name: `${one.name} scores`,
      difference: scoreDifference(one, found),
      tolerance: 1e-5,
    }
    return one.sequences_scores_single ? [tokens, scores] : [tokens]
  })
}

/** The encoded images, each with its prompt. Without one, the reference begins with the language model's bos. */
async function promptedImages(
  reference: Reference,
  config: Blip2Config,
  engine: Engine,
  inputs: string,
): Promise<Prompted[]> {
  const pixels = await reference.tensor('in.pixel_values')
  const images = await engine.encode(pixels.data as Float32Array, pixels.shape[0]!)
  const [idsName, maskName] = inputs.split('/')
  if (maskName === undefined) {
    const bos = config.text_config.bos_token_id
    if (bos === undefined) throw new Error(`${inputs}: the configuration has no bos_token_id`)
    return images.map((image) => ({ image, prompt: [bos] }))
  }
  const masks = rows(await reference.tensor(`in.${maskName}`))
  const ids = rows(await reference.tensor(`in.${idsName}`))
  return images.map((image, i) => ({ image, prompt: ids[i]!.filter((_, at) => masks[i]![at] === 1) }))
}

/** The reference's arguments in our words. Its lengths, unlike ours, count the start token. */
const translations: Readonly<Record<string, (value: never) => GenerationOptions>> = {
  max_new_tokens: (count: number) => ({ maxNewTokens: count }),
  max_length: (count: number) => ({ maxNewTokens: count - 1 }),
  min_length: (count: number) => ({ minNewTokens: Math.max(0, count - 1) }),
  num_beams: (count: number) => ({ numBeams: count }),
  num_return_sequences: (count: number) => ({ numReturnSequences: count }),
  length_penalty: (exponent: number) => ({ lengthPenalty: exponent }),
  repetition_penalty: (factor: number) => ({ repetitionPenalty: factor }),
  no_repeat_ngram_size: (size: number) => ({ noRepeatNgramSize: size }),
  early_stopping: (rule: boolean | 'never') => ({ earlyStopping: rule }),
}

function optionsOf(args: GenerationCase['args']): GenerationOptions {
  const translated = Object.entries(args).map(([name, value]) => {
    const translate = translations[name]
    if (!translate) throw new Error(`cases.json: generate: the argument ${name} has no counterpart here`)
    return translate(value as never)
  })
  return Object.assign({}, ...translated)
}

/** Number of sequences with other tokens than the reference's, which are padded behind the end token to one length. */
function differing(one: GenerationCase, found: readonly GeneratedSequence[][], { facts }: Reference): number {
  const end = (tokens: readonly number[]) => tokens.indexOf(facts.eos_token_id as number, 1) + 1 || tokens.length
  const expected = one.sequences_single.map((sequences) =>
    sequences.map((tokens) => tokens.slice(0, end(tokens)).join()),
  )
  const start = one.sequences_single[0]![0]![0]!
  const actual = found.map((sequences) =>
    sequences.map(({ tokens, finishReason }) =>
      [start, ...tokens, ...(finishReason === 'eos' ? [facts.eos_token_id] : [])].join(),
    ),
  )
  if (expected.length !== actual.length) return Number.POSITIVE_INFINITY
  return expected.reduce((count, sequences, i) => {
    const places = Math.max(sequences.length, actual[i]!.length)
    return (
      count + Array.from({ length: places }, (_, k) => Number(sequences[k] !== actual[i]![k])).reduce((a, b) => a + b)
    )
  }, 0)
}

/** Largest relative difference of the scores. */
function scoreDifference(one: GenerationCase, found: readonly GeneratedSequence[][]): number {
  const differences = (one.sequences_scores_single ?? []).flatMap((scores, i) =>
    scores.map((score, k) => Math.abs(((found[i]?.[k]?.score ?? Number.NaN) - score) / score)),
  )
  return differences.reduce((most, one) => Math.max(most, one), 0)
}

/** The logits of each step of the case `greedy`, batched, with the reference's tokens fed. */
async function checkSteps(
  reference: Reference,
  config: Blip2Config,
  engine: Engine,
  sessions: Sessions,
  greedy: GenerationCase,
): Promise<Check> {
  const expected = await reference.tensor('out.greedy_step_scores')
  const [steps, items] = expected.shape as [number, number, number]
  const prompted = await promptedImages(reference, config, engine, greedy.inputs)
  const cache = sessions.device.createCache(sessions.cacheShapes(items))
  const decoder = createDecoder(
    sessions,
    prompted.map(({ image, prompt }) => ({ queryEmbeds: image.queryEmbeds, prompt })),
    { cache, queriesCached: false },
  )
  const logits = [await decoder.prefill()]
  for (let step = 1; step < steps; step++) {
    const tokens = greedy.sequences_batched.map((sequence) => sequence[step]!)
    logits.push(await decoder.step(Int32Array.from(tokens), new Int32Array(items)))
  }
  await cache.dispose()
  const found = floats(
    expected.shape,
    logits.flatMap((row) => [...row]),
  )
  const name = 'greedy_step_scores'
  return {
    folder: basename(reference.folder),
    variant: 'generate, batched',
    name,
    difference: largestDifference(found, expected),
    tolerance: tolerances(reference.facts)(name),
  }
}
