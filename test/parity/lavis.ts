/** LAVIS's folders: weights under the names of LAVIS or mmpretrain, sizes in cases.json, no config.json. */
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type ModelSource, openSource, type SourceOptions } from '../../src/tasks/node-source.ts'
import type { Reference } from '../support/reference.ts'

/** What the folders of stage 1 and 2 say of their sizes. */
interface LavisSizes {
  readonly vision: Readonly<Record<string, unknown>>
  readonly vision_layer_norm_eps: number
  readonly ln_vision_eps: number
  readonly qformer: { readonly cross: number; readonly queries: number } & Readonly<Record<string, unknown>>
}

/** config.json of the image half, in the form of Hugging Face. */
export function imageHalf({ facts }: Reference): Record<string, unknown> & { qformer_config: object } {
  const { vision, vision_layer_norm_eps, ln_vision_eps, qformer } = facts.config as LavisSizes
  const { cross, queries, ...sizes } = qformer
  return {
    model_type: 'blip-2',
    vision_config: { ...vision, layer_norm_eps: vision_layer_norm_eps, post_layernorm_eps: ln_vision_eps },
    qformer_config: { ...sizes, cross_attention_frequency: cross },
    num_query_tokens: queries,
  }
}

/** Opens a file of the folder as a user would: by its names, with a config.json beside it. */
export async function openLavis(
  { folder }: Reference,
  file: string,
  config: object,
  options: SourceOptions = {},
): Promise<ModelSource> {
  const beside = await mkdtemp(join(tmpdir(), 'blip2-parity-'))
  try {
    await symlink(resolve(folder, file), join(beside, file))
    await writeFile(join(beside, 'config.json'), JSON.stringify(config))
    return await openSource(join(beside, file), options)
  } finally {
    await rm(beside, { recursive: true })
  }
}
