/**
 * Whether AdamW's weight decay applies to a parameter (Blip2Base.get_optimizer_params, LAVIS 506965b): not if it has one axis or
 * its name ends in `.bias`. So LayerNorms and biases keep their size, and `query_tokens` and `temp` (no axis at all) are decayed.
 */
export function decays(name: string, shape: readonly number[]): boolean {
  return shape.length !== 1 && !name.endsWith('.bias')
}

export interface LayerDecay {
  /** Each block of the image encoder learns at this part of the rate of the one behind it (LAVIS: 0.95 for COCO retrieval). */
  readonly decay: number
  /** Blocks of the encoder. */
  readonly layers: number
}

/**
 * A parameter's factor on the learning rate for layer-wise decay: decayⁿ with n = 1 for the image encoder's last block, one more for
 * each block below it and for the embeddings; 1 outside of it and for the norm behind it, which the Q-Former's training learns.
 * LAVIS 506965b computes these factors (`lr_scale`) and no optimiser of it reads them, so as released there is no such decay.
 */
export function layerRateFactor(name: string, { decay, layers }: LayerDecay): number {
  const inEncoder = /^(?:vision_model|visual_encoder)\.(?!post_layernorm\.)(.*)$/.exec(name)?.[1]
  if (inEncoder === undefined) return 1
  const block = /^(?:encoder\.layers|transformer\.resblocks)\.(\d+)\./.exec(inEncoder)?.[1]
  const depth = block === undefined ? 0 : Number(block) + 1
  return decay ** (layers + 1 - depth)
}
