/** The weights that a recipe's graphs ask for, held against what its checkpoints have. Names and shapes only. */
import { CheckpointError } from '../errors.ts'
import { showShape } from '../graph/index.ts'
import { tiedNames } from '../models/blip2.ts'
import { imageHidden } from '../models/image-encoder.ts'
import { partOf } from '../models/names/names.ts'
import { retrievalTiedNames } from '../models/retrieval.ts'
import { describeMisfit, findWeight, recorderParams, type StoredTensor } from '../nn/index.ts'
import { type ModelConfig, type Objective, pixelInput } from './objective.ts'
import type { Origin } from './recipe.ts'

export type Shape = readonly number[]

/** Other names that a weight may be stored under. */
export const aliases: Readonly<Record<string, readonly string[]>> = { ...tiedNames, ...retrievalTiedNames }

/** Name → shape of every weight, those of the frozen image encoder among them. */
export function neededWeights(config: ModelConfig, objective: Objective): ReadonlyMap<string, Shape> {
  const { params, shapes } = recorderParams()
  objective.losses(params)
  if (objective.images === 'hidden') imageHidden(params, config.vision_config, pixelInput(config))
  return shapes
}

/** Parts that are frozen as a whole, and who has them. */
const frozenParts = [
  ['image encoder', "any BLIP-2 such as Salesforce/blip2-opt-2.7b, or LAVIS's file of the encoder"],
  ['language model', 'facebook/opt-2.7b, google/flan-t5-xl, or a BLIP-2 with one'],
] as const

/**
 * `origins` are the checkpoints as the recipe names them, `stored` what is in them by canonical name. Weights that train may be missing.
 * Throws CheckpointError for frozen ones that are, and for all that do not fit the model.
 */
export function checkWeights(
  needed: ReadonlyMap<string, Shape>,
  { trains }: Objective,
  stored: ReadonlyMap<string, Pick<StoredTensor, 'dtype' | 'shape'>>,
  origins: readonly Origin[],
): void {
  const named = origins.map(({ checkpoint, only }) => (only ? `${checkpoint} (only ${only})` : checkpoint))
  const where = named.length === 0 ? 'there is no checkpoint in it' : named.join(', ')
  for (const [part, advice] of frozenParts) {
    const names = [...needed.keys()].filter((name) => partOf(name) === part && !trains(name))
    if (names.length === 0 || names.some((name) => stored.has(name))) continue
    throw new CheckpointError(
      `model.from: the ${part}, which is frozen, is missing: ${where}; add a checkpoint that has it: ${advice}`,
    )
  }
  const problems: string[] = []
  for (const [name, shape] of needed) {
    const found = findWeight(stored, [name, ...(aliases[name] ?? [])], shape)
    if (!('problem' in found) || (found.problem === 'missing' && trains(name))) continue
    if (found.problem === 'misshapen' && lacksLastRow(name, found.stored.shape, shape)) continue
    problems.push(describeMisfit(name, shape, found))
  }
  if (problems.length === 0) return
  const shown = problems.slice(0, 8).join('\n  ')
  const more = problems.length > 8 ? `\n  and ${problems.length - 8} more` : ''
  throw new CheckpointError(
    `model.from: ${problems.length} tensors of ${where} do not fit model.config:\n  ${shown}${more}\nIs it the configuration of this checkpoint?`,
  )
}

/** The words of a BERT, to which the Q-Former adds [DEC]. */
export function lacksLastRow(name: string, found: Shape, needed: Shape): boolean {
  const ofWords = name === 'embeddings.word_embeddings.weight' || name === 'Qformer.cls.predictions.bias'
  return ofWords && showShape(found) === showShape([(needed[0] as number) - 1, ...needed.slice(1)])
}
