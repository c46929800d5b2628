/** First-stage models that can be loaded: the reference's tiny weights, a configuration and a tokenizer. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readBytes, writeSafetensors } from '../../src/checkpoints/node.ts'
import { openSource } from '../../src/tasks/node-source.ts'
import { lavisConfig } from './lavis.ts'
import { repositoryRoot } from './paths.ts'

/** 28 px, 5 queries, 61 tokens, 20 positions; its README. */
const reference = join(repositoryRoot, 'test', 'reference', 'lavis-qformer')

const letters = Array.from('abcdefghijklmnopqrstuvwxyz')

/** Words are read letter by letter. The model has some more rows, of which the first behind these becomes [DEC]. */
const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...letters, ...letters.map((letter) => `##${letter}`)]

/** Makes the folder, with one of the reference's files: LAVIS's or mmpretrain's names, captioning head included. */
export async function writeFirstStage(folder: string, file = 'model.safetensors'): Promise<string> {
  await writeSettings(folder)
  copyFileSync(join(reference, file), join(folder, file))
  return folder
}

/** The same as Hugging Face publishes it: under its names, without captioning head and temperature. */
export async function writeHuggingFaceFirstStage(folder: string, source: string): Promise<string> {
  await writeSettings(folder)
  const { tensors, replaced } = await openSource(source)
  const stored = Array.from(tensors.values(), async ({ name, ...tensor }) => ({
    name,
    dtype: tensor.dtype,
    shape: tensor.shape,
    data: new Uint8Array(await readBytes({ name, ...tensor })),
  }))
  const joined = Array.from(replaced, ([name, data]) => ({ name, dtype: 'F32' as const, shape: [data.length], data }))
  const published = [...(await Promise.all(stored)), ...joined].filter(
    ({ name }) => !/^(Qformer\.cls\.|temp$)/.test(name),
  )
  await writeSafetensors(join(folder, 'model.safetensors'), published)
  return folder
}

async function writeSettings(folder: string): Promise<void> {
  mkdirSync(folder)
  writeFileSync(join(folder, 'config.json'), JSON.stringify(await lavisConfig(reference)))
  writeFileSync(join(folder, 'vocab.txt'), words.join('\n'))
}
