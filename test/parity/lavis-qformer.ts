/** Folder `lavis-qformer`: the first stage, from LAVIS's and mmpretrain's files, by graph (both forms) and by the package's own tasks. */
import { basename } from 'node:path'
import type { Target } from '../../src/graph/index.ts'
import { isRetrievalConfig, type RetrievalConfig } from '../../src/models/config.ts'
import { retrievalTiedNames } from '../../src/models/retrieval.ts'
import { storedParams } from '../../src/nn/index.ts'
import type { ModelSource } from '../../src/tasks/node-source.ts'
import { training } from '../support/evaluate.ts'
import { openReference, type Reference } from '../support/reference.ts'
import { compareAll, type Named, tolerances } from './compare.ts'
import { imageHalf, openLavis } from './lavis.ts'
import { checkMatching } from './lavis-matching.ts'
import { stageOneOutputs } from './lavis-stage1.ts'
import { attempt, type Check } from './report.ts'

/** Small expected sizes, for which every operator that has a fused form uses it. */
const targets: readonly Target[] = [{ purpose: 'inference', sizes: { batch: 1, tokens: 2, read: 2 } }, training]
const files = ['model.safetensors', 'checkpoint.pth', 'mmpretrain-retrieval.pth']

/** The mask of another way to compute the texts of ITG. */
export async function qformerNotCovered(path: string): Promise<string[]> {
  const { names } = await openReference(path)
  return names.filter((name) => name.startsWith('itg_unilm')).map((name) => `${basename(path)}/${name}`)
}

export async function checkLavisQformer(path: string): Promise<Check[]> {
  const folder = basename(path)
  const reference = await openReference(path)
  const expected = await expectedOutputs(reference)
  const checks: Check[] = []
  for (const file of files) {
    for (const target of targets) {
      const variant = `${file}, ${target.purpose}`
      const compute = async () => {
        const { tensors, replaced, config } = await openStageOne(reference, file)
        const { params } = storedParams(tensors, { aliases: retrievalTiedNames, replaced })
        const found = await stageOneOutputs({ params, config, target }, reference)
        return compareAll({ folder, variant }, found, expected, tolerances(reference.facts))
      }
      checks.push(...(await attempt(folder, variant, compute)))
    }
    const variant = `${file}, tasks`
    const compute = async () => checkMatching(reference, await openStageOne(reference, file), variant)
    checks.push(...(await attempt(folder, variant, compute)))
  }
  return checks
}

/** Sizes of the text half. */
interface TextSizes {
  readonly vocab: number
  readonly embed_dim: number
  readonly positions: number
}

export type StageOne = ModelSource & { readonly config: RetrievalConfig }

export async function openStageOne(reference: Reference, file: string): Promise<StageOne> {
  const { vocab, embed_dim, positions } = (reference.facts.config as { text: TextSizes }).text
  const half = imageHalf(reference)
  const source = await openLavis(reference, file, {
    ...half,
    qformer_config: {
      ...half.qformer_config,
      use_qformer_text_input: true,
      vocab_size: vocab,
      max_position_embeddings: positions,
    },
    image_text_hidden_size: embed_dim,
  })
  if (!isRetrievalConfig(source.config)) throw new Error(`${file}: not a first-stage model`)
  return { ...source, config: source.config }
}

/** The forward tensors. */
async function expectedOutputs({ names, tensor }: Reference): Promise<Named> {
  const wanted = names.filter((name) => /^(pretrain|image_id)\./.test(name) && !name.includes('.loss'))
  return Object.fromEntries(await Promise.all(wanted.map(async (name) => [name, await tensor(name)] as const)))
}
