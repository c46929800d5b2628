/** What trains: everything but the image encoder and the language model, in both stages (Li et al. 2023, sections 3.2 and 3.3). */

export interface TrainableOptions {
  /** Fine-tuning trains the image encoder too (for captions, retrieval and answers, section 4). */
  readonly imageEncoder?: boolean
}

/** Whether a weight of this canonical name trains. The norm behind the image encoder always does. */
export function trains(name: string, options: TrainableOptions = {}): boolean {
  if (name.startsWith('language_model.')) return false
  const inEncoder = /^(vision_model\.(?!post_layernorm\.)|visual_encoder\.)/.test(name)
  return !inEncoder || options.imageEncoder === true
}
