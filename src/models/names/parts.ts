/** Which tensors of a checkpoint a model takes. */
import { type Blip2Config, isRetrievalConfig, type RetrievalConfig } from '../config.ts'
import { usedBlocks } from './infer-config.ts'
import { partOf } from './names.ts'
import { layerOf } from './rows.ts'
import type { Part } from './table.ts'

const onlyForTexts: readonly Part[] = ['captioning head', 'comparison']
const onlyForLanguage: readonly Part[] = ['projection', 'language model']

/**
 * Whether a canonical name belongs to the parts that a model of this configuration has. LAVIS loads files of the first stage into models
 * of the second and ignores the rest; a part is left out here as a whole, so that a tensor of no part, or one too many in it, is noticed.
 */
export function takes(config: Blip2Config | RetrievalConfig, name: string): boolean {
  const part = partOf(name)
  if (part === undefined) return true
  if (part === 'image encoder' && isUnusedBlock(config, name)) return false
  if (part === 'Q-Former text') return readsText(config, name)
  return !(isRetrievalConfig(config) ? onlyForLanguage : onlyForTexts).includes(part)
}

/** Before a language model, what the last layer makes of a question is not used, so it has no weights for it. */
function readsText(config: Blip2Config | RetrievalConfig, name: string): boolean {
  const { use_qformer_text_input, num_hidden_layers } = config.qformer_config
  const isLast = Number(layerOf(name)) === num_hidden_layers - 1
  return use_qformer_text_input && (isRetrievalConfig(config) || !isLast)
}

/** The last block of a published encoder, which some files have and no forward pass uses. */
function isUnusedBlock({ vision_config }: Blip2Config | RetrievalConfig, name: string): boolean {
  const used = usedBlocks[vision_config.hidden_size]
  return used !== undefined && vision_config.num_hidden_layers <= used && Number(layerOf(name) ?? 0) >= used
}

/**
 * Whether a part with layers (image encoder, language model) is really there. Files of what LAVIS trained lack what is frozen, but for
 * second names of tied tensors, such as OPT's output head.
 */
export function hasPart(canonical: Iterable<string>, part: Part): boolean {
  for (const name of canonical) if (partOf(name) === part && layerOf(name) !== undefined) return true
  return false
}
