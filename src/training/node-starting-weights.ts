/** Where training begins: weights of checkpoints of any naming, of a BERT, and fresh ones for the rest. */
import { openCheckpoint, readTensor } from '../checkpoints/node.ts'
import { resolveModel } from '../checkpoints/node-hub.ts'
import type { StoredTensor } from '../checkpoints/safetensors.ts'
import { CheckpointError } from '../errors.ts'
import { type Origin, recogniseNames } from '../models/names/names.ts'
import { imageEncoderNames, languageModelNames } from '../models/names/supplements.ts'
import { findPreset } from '../models/presets.ts'
import { initialisedParams } from '../nn/index.ts'
import { layOut } from '../tasks/node-source.ts'

/** Canonical name → where it lies, or the values of one that is in no file as it is needed. */
export interface StartingWeights {
  readonly tensors: ReadonlyMap<string, StoredTensor>
  readonly replaced: ReadonlyMap<string, Float32Array>
}

/** Opens all sources; of two that have a weight, the first gives it. */
export async function openStartingWeights(
  sources: readonly string[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<StartingWeights> {
  const tensors = new Map<string, StoredTensor>()
  const replaced = new Map<string, Float32Array>()
  for (const source of sources) {
    const path = await resolveModel(source, { ...options, repositoryOf: (name) => findPreset(name)?.repository })
    const checkpoint = await openCheckpoint(path)
    const wanted = [...originsIn([...checkpoint.tensors.keys()], source)].filter(
      ([name]) => !tensors.has(name) && !replaced.has(name),
    )
    await layOut(checkpoint, wanted, { tensors, replaced }, options)
  }
  return { tensors, replaced }
}

/** What a checkpoint has of a BLIP-2: a part or all of one, an image encoder, a language model, or a BERT for the Q-Former. */
function originsIn(names: readonly string[], source: string): ReadonlyMap<string, Origin> {
  const whole = recogniseNames(names)
  if (whole) return whole.tensors
  const bert = bertOrigins(names)
  if (bert.size > 0) return bert
  for (const find of [languageModelNames, imageEncoderNames]) {
    try {
      return find(names, source)
    } catch {
      // the next kind
    }
  }
  throw new CheckpointError(
    `${source}: expected a BLIP-2, an image encoder, a language model (OPT, Flan-T5) or a BERT, found ${names.slice(0, 3).join(', ')}`,
  )
}

/** LAVIS's Q-Former has the names of a BERT behind a prefix; its pooler and its sentence head are not used. */
function bertOrigins(names: readonly string[]): ReadonlyMap<string, Origin> {
  const plain = names.some((name) => name.startsWith('bert.')) ? 'Qformer.' : 'Qformer.bert.'
  const ofBert = names.filter((name) => /^(bert\.)?(embeddings|encoder\.layer)\.|^cls\.predictions\./.test(name))
  const renamed = new Map(ofBert.map((name) => [plain + modern(name), name]))
  const recognised = recogniseNames([...renamed.keys()])
  if (!recognised) return new Map()
  return new Map(
    [...recognised.tensors].flatMap(([canonical, origin]) =>
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

/** How a weight begins: as stored, as a copy of the text's feed-forward (LAVIS, `init_Qformer`), or drawn. */
export interface Beginning {
  readonly values: Float32Array
  readonly from: 'checkpoint' | 'text' | 'fresh'
}

/** Temperature of the contrastive losses at the start (LAVIS, blip2_qformer.py). */
const TEMPERATURE = 0.07

export async function beginning(
  name: string,
  shape: readonly number[],
  weights: StartingWeights,
  seed: number,
): Promise<Beginning> {
  const stored = await storedValues(name, shape, weights)
  if (stored) return { values: padded(stored, name, shape, seed), from: 'checkpoint' }
  const textName = name.replace(/\.(intermediate|output)_query\./, '.$1.')
  const text = textName === name ? undefined : await storedValues(textName, shape, weights)
  if (text) return { values: text, from: 'text' }
  if (name === 'temp' || name.endsWith('.temp')) return { values: Float32Array.of(TEMPERATURE), from: 'fresh' }
  return { values: fresh(name, shape, seed), from: 'fresh' }
}

async function storedValues(
  name: string,
  shape: readonly number[],
  { tensors, replaced }: StartingWeights,
): Promise<Float32Array | undefined> {
  const tensor = tensors.get(name)
  const values = replaced.get(name) ?? (tensor && ((await readTensor(tensor)) as Float32Array))
  if (!values) return undefined
  const found = tensor?.shape ?? shape
  if (found.join() === shape.join() || isShorterTable(name, found, shape)) return values
  throw new CheckpointError(
    `${tensor?.file}: ${name}: shape (${found.join(', ')}), the recipe's model needs (${shape.join(', ')}); is model.config that of this checkpoint?`,
  )
}

/** The table of words of a BERT, which lacks [DEC]. */
function isShorterTable(name: string, found: readonly number[], shape: readonly number[]): boolean {
  const [rows, ...row] = shape as [number, ...number[]]
  const table = name === 'embeddings.word_embeddings.weight' || name === 'Qformer.cls.predictions.bias'
  return table && found.slice(1).join() === row.join() && (found[0] as number) < rows
}

/** With fresh rows at the end of a table that is too short. */
function padded(values: Float32Array, name: string, shape: readonly number[], seed: number): Float32Array {
  if (values.length === shape.reduce((n, size) => n * size, 1)) return values
  const all = fresh(name, shape, seed)
  all.set(values)
  return all
}

function fresh(name: string, shape: readonly number[], seed: number): Float32Array {
  const { source } = initialisedParams({ seed }).get(name, shape)
  if (source.kind === 'parameter' && source.data?.kind === 'memory') return source.data.values
  throw new Error(`${name}: no values`)
}
