/** Every generation case of a Hugging Face folder: tokens and scores of each image alone, and the tokens of both as one batch. */
import { join } from 'node:path'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import type { GenerationOptions } from '../../src/generation/options.ts'
import type { GeneratedSequence } from '../../src/generation/sequence.ts'
import type { Blip2Config } from '../../src/models/config.ts'
import { openDevice } from '../../src/runtime/node.ts'
import { createEngine, type Engine, type Prompted } from '../../src/tasks/engine.ts'
import { createSessions } from '../../src/tasks/sessions.ts'
import { openReference, type Reference, referenceConfig } from '../support/reference.ts'

export interface GenerationResult {
  readonly name: string
  /** What differs, or undefined when all tokens are equal. */
  readonly tokens: string | undefined
  /** Largest relative difference of a score; 0 where the reference has none (greedy search). */
  readonly scoreDifference: number
}

/** A case of cases.json. Its max_length and min_length count the start token, its sequences hold it. */
interface Case {
  readonly name: string
  readonly inputs: string
  readonly args: Readonly<Record<string, number | boolean | 'never'>>
  readonly sequences_single: readonly (readonly (readonly number[])[])[]
  readonly sequences_scores_single?: readonly (readonly number[])[]
}

export async function generationResults(folder: string, weights = 'model.safetensors'): Promise<GenerationResult[]> {
  const reference = await openReference(folder)
  const { eos_token_id: eos, generate: cases } = reference.facts as { eos_token_id: number; generate: Case[] }
  const parsed = await referenceConfig(folder)
  const config = { ...parsed, text_config: { ...parsed.text_config, eos_token_id: [eos] } } as Blip2Config

  const checkpoint = await openCheckpoint(join(folder, weights))
  const device = await openDevice()
  const engine = createEngine(createSessions(device, config, checkpoint.tensors))
  try {
    const pixels = await reference.tensor('in.pixel_values')
    const images = await engine.encode(pixels.data as Float32Array, pixels.shape[0] as number)
    const results: GenerationResult[] = []
    for (const one of cases) {
      const prompts = await promptsOf(one, reference, images.length, config)
      const items = images.map((image, i) => ({ image, prompt: prompts[i] as number[] }))
      results.push(await compare(engine, one, items, eos))
    }
    return results
  } finally {
    await engine.dispose()
  }
}

async function compare(engine: Engine, one: Case, items: readonly Prompted[], eos: number): Promise<GenerationResult> {
  const options = optionsOf(one.args)
  const alone: GeneratedSequence[][] = []
  for (const item of items) alone.push(...(await engine.generate([item], options)))
  const batch = await engine.generate(items, options)

  const expected = one.sequences_single.map((sequences) => sequences.map((tokens) => newTokens(tokens, eos)))
  const tokens = (results: readonly (readonly GeneratedSequence[])[]) =>
    JSON.stringify(results.map((sequences) => sequences.map((sequence) => sequence.tokens)))
  const wanted = JSON.stringify(expected)
  const different = [
    ...(tokens(alone) === wanted ? [] : [`alone ${tokens(alone)}, expected ${wanted}`]),
    ...(tokens(batch) === wanted ? [] : [`as a batch ${tokens(batch)}, expected ${wanted}`]),
  ]
  const scoreDifference = (one.sequences_scores_single ?? []).flatMap((scores, item) =>
    scores.map((score, i) => Math.abs(((alone[item]?.[i]?.score ?? Number.NaN) - score) / score)),
  )
  return {
    name: `generate ${one.name}`,
    tokens: different.length > 0 ? different.join('; ') : undefined,
    scoreDifference: Math.max(0, ...scoreDifference),
  }
}

/** Without the start token, the end and the padding behind it. */
function newTokens(sequence: readonly number[], eos: number): number[] {
  const tokens = sequence.slice(1)
  const end = tokens.indexOf(eos)
  return end < 0 ? tokens : tokens.slice(0, end)
}

const supported: Readonly<Record<string, (value: never) => GenerationOptions>> = {
  max_new_tokens: (n: number) => ({ maxNewTokens: n }),
  max_length: (n: number) => ({ maxNewTokens: n - 1 }),
  min_length: (n: number) => ({ minNewTokens: Math.max(0, n - 1) }),
  num_beams: (n: number) => ({ numBeams: n }),
  length_penalty: (x: number) => ({ lengthPenalty: x }),
  early_stopping: (value: boolean | 'never') => ({ earlyStopping: value }),
  num_return_sequences: (n: number) => ({ numReturnSequences: n }),
  repetition_penalty: (x: number) => ({ repetitionPenalty: x }),
  no_repeat_ngram_size: (n: number) => ({ noRepeatNgramSize: n }),
}

function optionsOf(args: Case['args']): GenerationOptions {
  return Object.assign(
    {},
    ...Object.entries(args).map(([name, value]) => {
      const convert = supported[name]
      if (!convert) throw new Error(`cases.json: generate: the argument ${name} is not known here`)
      return convert(value as never)
    }),
  )
}

/** Prompts without their padding; `none` is the language model's bos alone, as transformers 4.27.1 puts it. */
async function promptsOf(
  one: Case,
  reference: Reference,
  items: number,
  { text_config }: Blip2Config,
): Promise<number[][]> {
  if (one.inputs.startsWith('none')) return Array.from({ length: items }, () => [text_config.bos_token_id as number])
  const [ids, mask] = await Promise.all(one.inputs.split('/').map((name) => reference.tensor(`in.${name}`)))
  if (!ids || !mask) throw new Error(`cases.json: generate: ${one.name}: expected ids/mask, found ${one.inputs}`)
  const length = ids.shape[1] as number
  return Array.from({ length: items }, (_, item) => {
    const places = Array.from({ length }, (_, i) => item * length + i).filter((at) => Number(mask.data[at]) === 1)
    return places.map((at) => Number(ids.data[at]))
  })
}
