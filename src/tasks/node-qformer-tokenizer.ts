/** The second tokenizer of a model whose Q-Former reads questions, in a folder inside the model's, as InstructBLIP's checkpoints have it. */
import { join } from 'node:path'
import { missingTokenizerFiles } from '../checkpoints/node-cache.ts'
import { CheckpointError } from '../errors.ts'
import { loadTokenizer } from '../tokenizers/node.ts'
import { type QformerTokenizer, qformerTokenizer } from '../tokenizers/qformer.ts'

/** Inside the model's folder. */
export const QFORMER_TOKENIZER = 'qformer_tokenizer'

/** `vocabSize`: rows of the Q-Former's word embedding. Throws CheckpointError where there is no tokenizer, or another model's. */
export async function loadQformerTokenizer(modelFolder: string, vocabSize: number): Promise<QformerTokenizer> {
  const folder = join(modelFolder, QFORMER_TOKENIZER)
  const [missing] = await missingTokenizerFiles(folder)
  if (missing !== undefined)
    throw new CheckpointError(
      `${folder}: no tokenizer, and the Q-Former of this model reads questions; copy the files of bert-base-uncased there: ${missing}`,
    )
  return qformerTokenizer(await loadTokenizer(folder), vocabSize)
}
