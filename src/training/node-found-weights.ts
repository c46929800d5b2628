/** What the checkpoints of a recipe have, of any naming: a part or all of a BLIP-2, an image encoder, a language model, a BERT. */
import { openCheckpoint } from '../checkpoints/node.ts'
import { digestBlocks } from '../checkpoints/node-digest.ts'
import type { Checkpoint, StoredTensor } from '../checkpoints/safetensors.ts'
import { CheckpointError } from '../errors.ts'
import { type Origin, partOf, recogniseNames } from '../models/names/names.ts'
import { imageEncoderNames, languageModelNames } from '../models/names/supplements.ts'
import { layOut, type SourceOptions } from '../tasks/node-source.ts'
import type { Origin as RecipeOrigin } from './recipe.ts'

/** Canonical name → where it lies as float32, or the values of one that is in no file as it is needed. */
export interface StartingWeights {
  readonly tensors: ReadonlyMap<string, StoredTensor>
  readonly replaced: ReadonlyMap<string, Float32Array>
}

export interface FoundWeights {
  /** Canonical name → what is stored; of weights in two pieces (LAVIS's biases) the shape of both together. */
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** Tells these files from others, wherever they are. */
  digest(): Promise<readonly string[]>
  /** Widens what is stored as 16-bit floats, once. */
  layOut(options: Pick<SourceOptions, 'signal' | 'onProgress'>): Promise<StartingWeights>
}

/** A folder or file, and what is taken of it: all unless a part is named. */
export interface WeightFile {
  readonly path: string
  readonly only?: RecipeOrigin['only'] | undefined
}

/** Reads the tables of the checkpoints; of two that have a weight, the first gives it. Throws CheckpointError. */
export async function findWeights(sources: readonly WeightFile[]): Promise<FoundWeights> {
  const tensors = new Map<string, StoredTensor>()
  const parts: { checkpoint: Checkpoint; wanted: (readonly [string, Origin])[] }[] = []
  for (const { path, only } of sources) {
    const checkpoint = await openCheckpoint(path)
    const wanted = [...originsIn([...checkpoint.tensors.keys()], path)].filter(
      ([name]) => !tensors.has(name) && (only === undefined || only === heldPart(name)),
    )
    if (only !== undefined && wanted.length === 0) throw new CheckpointError(`model.from: ${path}: no ${only} in it`)
    for (const [name, origin] of wanted) tensors.set(name, { ...stored(checkpoint, origin), name })
    parts.push({ checkpoint, wanted })
  }
  return {
    tensors,
    async digest() {
      const files = new Set(Array.from(tensors.values(), ({ file }) => file))
      const digests = await Promise.all(Array.from(files, digestBlocks))
      return digests.map(({ sha256 }) => sha256)
    },
    async layOut(options) {
      const into = { tensors: new Map<string, StoredTensor>(), replaced: new Map<string, Float32Array>() }
      for (const { checkpoint, wanted } of parts) await layOut(checkpoint, wanted, into, options)
      return into
    },
  }
}

/** What trains with the Q-Former counts as its own: query tokens, projections, the norm behind the encoder. */
function heldPart(name: string): RecipeOrigin['only'] {
  const part = partOf(name)
  return part === 'image encoder' || part === 'language model' ? part : 'Q-Former'
}

/** One tensor, or three thirds of a bias of which two are stored. */
function stored({ tensors }: Checkpoint, origin: Origin): StoredTensor {
  if (origin.kind === 'stored') return tensors.get(origin.name) as StoredTensor
  const queries = tensors.get(origin.q) as StoredTensor
  return { ...queries, shape: [3 * (queries.shape[0] ?? 0)] }
}

function originsIn(names: readonly string[], path: string): ReadonlyMap<string, Origin> {
  const whole = recogniseNames(names)
  if (whole) return whole.tensors
  const bert = bertOrigins(names)
  if (bert.size > 0) return bert
  for (const find of [languageModelNames, imageEncoderNames]) {
    try {
      return find(names, path)
    } catch {
      // the next kind
    }
  }
  throw new CheckpointError(
    `${path}: expected a BLIP-2, an image encoder, a language model (OPT, Flan-T5) or a BERT, found ${names.slice(0, 3).join(', ')}`,
  )
}

/** LAVIS's Q-Former has the names of a BERT behind a prefix; its pooler and its sentence head are not used. */
function bertOrigins(names: readonly string[]): ReadonlyMap<string, Origin> {
  const prefix = names.some((name) => name.startsWith('bert.')) ? 'Qformer.' : 'Qformer.bert.'
  const ofBert = names.filter((name) => /^(bert\.)?(embeddings|encoder\.layer)\.|^cls\.predictions\./.test(name))
  const renamed = new Map(
    ofBert.map((name) => [`${name.startsWith('cls.') ? 'Qformer.' : prefix}${modern(name)}`, name]),
  )
  const recognised = recogniseNames([...renamed.keys()])
  return new Map(
    [...(recognised?.tensors ?? [])].flatMap(([canonical, origin]) =>
      origin.kind === 'stored'
        ? [[canonical, { kind: 'stored' as const, name: renamed.get(origin.name) as string }]]
        : [],
    ),
  )
}

/** The first BERT files call the scale and the shift of a norm gamma and beta. */
function modern(name: string): string {
  return name.replace(/LayerNorm\.gamma$/, 'LayerNorm.weight').replace(/LayerNorm\.beta$/, 'LayerNorm.bias')
}
