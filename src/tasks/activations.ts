import { type Blip2Config, isRetrievalConfig, type RetrievalConfig, type VisionConfig } from '../models/config.ts'

/** Beams and generated tokens that the estimate leaves room for. */
const BEAMS = 5
const TOKENS = 128

/** Texts of so many tokens that are matched with an image together. */
const TEXTS = 32
const TEXT_TOKENS = 32

/**
 * About how many bytes a batch of images needs beside the weights: the widest layer of the image encoder with its attention scores, and
 * the keys, values and logits of a language model, or a batch of texts in the Q-Former. For blip2-opt-2.7b 0.45 GB; `bench/` measures
 * 0.35 GB, Node itself included.
 */
export function activationBytes(config: Blip2Config | RetrievalConfig, batch: number): number {
  const encoder = encoderFloats(config.vision_config)
  return (
    4 *
    (isRetrievalConfig(config) ? batch * encoder + matchingFloats(config) : batch * (encoder + languageFloats(config)))
  )
}

function encoderFloats(config: VisionConfig): number {
  const patches = (config.image_size / config.patch_size) ** 2 + 1
  return layerFloats(config, patches) + 2 * config.num_attention_heads * patches ** 2
}

function languageFloats({ text_config }: Blip2Config): number {
  const opt = text_config.model_type === 'opt'
  const width = opt ? text_config.hidden_size : text_config.num_heads * text_config.d_kv
  const layers = opt ? text_config.num_hidden_layers : 2 * text_config.num_decoder_layers
  const cache = 2 * layers * width * (BEAMS * TOKENS)
  const logits = 3 * BEAMS * text_config.vocab_size
  return cache + logits
}

function matchingFloats({ qformer_config, num_query_tokens }: RetrievalConfig): number {
  const rows = num_query_tokens + TEXT_TOKENS
  return layerFloats(qformer_config, TEXTS * rows) + 2 * qformer_config.num_attention_heads * TEXTS * rows ** 2
}

/** A layer's hidden states, without the attention scores. */
function layerFloats(config: { hidden_size: number; intermediate_size: number }, rows: number): number {
  return rows * (6 * config.hidden_size + 2 * config.intermediate_size)
}
