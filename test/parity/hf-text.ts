/** The language half of a Hugging Face folder, by the names of the reference's outputs. */
import type { Target } from '../../src/graph/index.ts'
import type { Blip2Config } from '../../src/models/config.ts'
import type { Params } from '../../src/nn/index.ts'
import type { Reference } from '../support/reference.ts'
import type { Tensor } from '../support/tensors.ts'
import type { Named } from './compare.ts'
import { optOutputs } from './hf-opt.ts'
import { t5Outputs } from './hf-t5.ts'

/** A batch of texts as the reference was given them, batch first, int64. */
export interface Texts {
  /** (batch, tokens). */
  readonly ids: Tensor
  /** (batch, tokens): 1 for a token, 0 for padding. */
  readonly mask: Tensor
  /** (batch, labels): -100 where nothing is predicted. */
  readonly labels: Tensor
  /** (batch, labels): 0 where Flan-T5's decoder does not look; LAVIS says so for padding, Hugging Face does not. */
  readonly labelMask?: Tensor
}

/** What runs a language model on `texts` behind the images. queryEmbeds (queries, batch, size). */
export interface TextRun {
  readonly params: Params
  readonly config: Blip2Config
  readonly queryEmbeds: Tensor
  readonly target: Target
}

/** Logits, loss and hidden states of the texts without padding (`plain.`) and of the padded ones (`padded.`). */
export async function textOutputs(run: TextRun, reference: Reference): Promise<Named> {
  const { model_type } = run.config.text_config
  const outputs = model_type === 'opt' ? optOutputs : t5Outputs
  const plain = await outputs(run, await texts(reference, ''))
  const padded = await outputs(run, await texts(reference, 'pad_'))
  // Hidden states of OPT are stored for the plain texts only, without a prefix.
  return { ...prefixed('padded', padded), ...prefixed('plain', plain) }
}

function prefixed(prefix: string, outputs: Named): Named {
  const nameOf = (name: string) => (name.startsWith('opt_hidden_states') ? name : `${prefix}.${name}`)
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [nameOf(name), tensor]))
}

async function texts(reference: Reference, prefix: string): Promise<Texts> {
  return {
    ids: await reference.tensor(`in.${prefix}input_ids`),
    mask: await reference.tensor(`in.${prefix}attention_mask`),
    labels: await reference.tensor(`in.${prefix}labels`),
  }
}
