import type { Blip2Config } from '../models/config.ts'

/** Beams and generated tokens that the estimate leaves room for. */
const BEAMS = 5
const TOKENS = 128

/**
 * About how many bytes a batch needs beside the weights: the widest layer of the image encoder with its attention scores, and
 * the language model's keys, values and logits. For blip2-opt-2.7b 0.45 GB; `bench/` measures 0.35 GB, Node itself included.
 */
export function activationBytes({ vision_config, text_config }: Blip2Config, batch: number): number {
  const { hidden_size, intermediate_size, num_attention_heads, image_size, patch_size } = vision_config
  const patches = (image_size / patch_size) ** 2 + 1
  const encoder = patches * (6 * hidden_size + 2 * intermediate_size) + 2 * num_attention_heads * patches ** 2

  const opt = text_config.model_type === 'opt'
  const width = opt ? text_config.hidden_size : text_config.num_heads * text_config.d_kv
  const layers = opt ? text_config.num_hidden_layers : 2 * text_config.num_decoder_layers
  const cache = 2 * layers * width * (BEAMS * TOKENS)
  const logits = 3 * BEAMS * text_config.vocab_size
  return 4 * batch * (encoder + cache + logits)
}
