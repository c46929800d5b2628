import type { TensorToWrite } from '../../checkpoints/node-write.ts'
import type { Features } from '../../tasks/matching/results.ts'
import type { FeatureType } from '../../tasks/retrieval/feature-type.ts'
import type { FeatureMode } from '../features.ts'
import type { FeatureItem } from './inputs.ts'
import { openSpool, type Spool } from './spool.ts'

/** Features of a number of inputs that is known at the end. */
export interface Collection {
  readonly mode: FeatureMode
  readonly items: readonly FeatureItem[]
  add(item: FeatureItem, features: Features): Promise<void>
  /** Its arrays by their names in the file: `…_embeds`, and `…_embeds_proj` where the model has it. */
  arrays(): ReadonlyMap<string, Spool>
  remove(): Promise<void>
}

/** `out` is the file that the features are for. Throws CheckpointError where none can be written. */
export async function openCollection(out: string, mode: FeatureMode, dtype: FeatureType): Promise<Collection> {
  const items: FeatureItem[] = []
  const embeds = await openSpool(out, dtype)
  let projected: Spool | undefined
  return {
    mode,
    items,
    async add(item, features) {
      await embeds.add(features.embeds)
      if (features.projected) {
        projected ??= await openSpool(out, dtype)
        await projected.add(features.projected)
      }
      items.push(item)
    },
    arrays: () =>
      new Map([[`${mode}_embeds`, embeds], ...(projected ? [[`${mode}_embeds_proj`, projected] as const] : [])]),
    async remove() {
      await embeds.remove()
      await projected?.remove()
    },
  }
}

/** The arrays as tensors (items, rows, width), those of texts padded with zeros, which `attention_mask` (items, rows) tells. */
export function tensorsOf({ mode, items, arrays }: Collection): TensorToWrite[] {
  const tensors = Array.from(arrays(), ([name, spool]): TensorToWrite => {
    const shape = [items.length, longest(spool), spool.width]
    return { name, dtype: spool.dtype === 'float16' ? 'F16' : 'F32', shape, data: padded(spool) }
  })
  const [embeds] = arrays().values()
  if (mode !== 'text' || !embeds) return tensors
  return [
    ...tensors,
    { name: 'attention_mask', dtype: 'I64', shape: [items.length, longest(embeds)], data: mask(embeds) },
  ]
}

function longest({ rows }: Spool): number {
  return rows.reduce((most, count) => Math.max(most, count), 0)
}

async function* padded(spool: Spool): AsyncGenerator<Uint8Array> {
  const bytes = longest(spool) * spool.width * (spool.dtype === 'float16' ? 2 : 4)
  for await (const matrix of spool.matrices()) {
    yield matrix
    yield new Uint8Array(bytes - matrix.length)
  }
}

function* mask(spool: Spool): Generator<Uint8Array> {
  const width = longest(spool)
  for (const count of spool.rows) yield new Uint8Array(new BigInt64Array(width).fill(1n, 0, count).buffer)
}
