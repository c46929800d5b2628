/** The language model of BLIP-2 as the `Decoder` that the generation algorithms drive. */
import type { Decoder } from '../generation/decoder.ts'
import type { Cache, Tensor } from '../runtime/device.ts'
import { optDecoder } from './opt-decoder.ts'
import type { Sessions } from './sessions.ts'
import { t5Decoder } from './t5-decoder.ts'

/** What each item of a batch continues. */
export interface PromptedImage {
  /** (queries, 1, size): the image as the language model reads it. */
  readonly queryEmbeds: Tensor
  /** Token ids with the tokenizer's special tokens; at least one. */
  readonly prompt: readonly number[]
}

export interface DecoderOptions {
  /** Where keys and values go. */
  readonly cache: Cache
  /** The cache already begins with the queries of this one image (OPT), left by an earlier prompt about it. */
  readonly queriesCached: boolean
}

/** A fresh decoder over the given items; one generation. */
export function createDecoder(sessions: Sessions, items: readonly PromptedImage[], options: DecoderOptions): Decoder {
  const { text_config } = sessions.config
  switch (text_config.model_type) {
    case 'opt':
      return optDecoder(sessions, text_config, items, options)
    case 't5':
      return t5Decoder(sessions, text_config, items, options)
  }
}
