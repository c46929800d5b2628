/**
 * The published models, as data. Sizes are those of the newest config.json on the hub; a downloaded file has the last word.
 *
 * Sources: the converter of transformers 4.47 (convert_blip_2_original_to_pytorch.py: which LAVIS model became which repository, 364
 * pixels for the fine-tuned ones, "\n" as OPT's end of sequence), config.json of Salesforce/blip2-opt-2.7b and blip2-flan-t5-xl,
 * LAVIS 506965b (lavis/configs/models/blip2), mmpretrain ee7f2e8 (configs/blip2), the model cards on the hub.
 */
import type { Blip2Config, OptConfig, RetrievalConfig, T5Config, VisionConfig } from './config.ts'

interface PresetBase {
  /** What the commands print. */
  readonly name: string
  /** Other names of the same model: Hugging Face repository, LAVIS `model/type`. */
  readonly aliases: readonly string[]
  /** Where its weights are on the Hugging Face hub. */
  readonly repository: string
  readonly licence: Licence
  /** Bytes of the .safetensors files: float32 parameters as counted from the configuration, without headers. */
  readonly downloadBytes: number
  /** The parameter count that the publisher of this name states. */
  readonly publishedParameters?: number
}

/** Of the repository, as its model card states it, and of the language model inside, whose terms still hold. */
export interface Licence {
  readonly weights: string
  readonly languageModel: string
}

/** Captions, answers and chats. */
export interface GenerationPreset extends PresetBase {
  readonly kind: 'generation'
  readonly config: Blip2Config
  /** Begins every caption of the published configuration; empty where it has none. */
  readonly captionPrompt: '' | 'a photo of'
}

/** Compares images with texts. */
export interface RetrievalPreset extends PresetBase {
  readonly kind: 'retrieval'
  readonly config: RetrievalConfig
}

export type Preset = GenerationPreset | RetrievalPreset

/** The preset with this name or alias, in any case, or undefined. */
export function findPreset(name: string): Preset | undefined {
  const wanted = name.toLowerCase()
  return presets.find((preset) => [preset.name, ...preset.aliases].some((known) => known.toLowerCase() === wanted))
}

/** EVA-CLIP ViT-g/14 without its last block; 39 are left. */
const vitG: VisionConfig = {
  model_type: 'blip_2_vision_model',
  hidden_size: 1408,
  intermediate_size: 6144,
  num_hidden_layers: 39,
  num_attention_heads: 16,
  num_channels: 3,
  image_size: 224,
  patch_size: 14,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-6,
  post_layernorm_eps: 1e-6,
  qkv_bias: true,
  attention_dropout: 0,
}

/** What fine-tuning on COCO used. */
const vitGAt364: VisionConfig = { ...vitG, image_size: 364 }

/** BERT-base with cross-attention in every second layer. */
const qformer: Blip2Config['qformer_config'] = {
  vocab_size: 30522,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  hidden_act: 'gelu',
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  max_position_embeddings: 512,
  initializer_range: 0.02,
  layer_norm_eps: 1e-12,
  pad_token_id: 0,
  position_embedding_type: 'absolute',
  cross_attention_frequency: 2,
  encoder_hidden_size: 1408,
  use_qformer_text_input: false,
}

/** facebook/opt-2.7b. The newer checkpoints padded its 50,272 tokens to a multiple of 64 when they added the image token. */
const opt27: OptConfig = {
  model_type: 'opt',
  vocab_size: 50304,
  hidden_size: 2560,
  num_hidden_layers: 32,
  ffn_dim: 10240,
  num_attention_heads: 32,
  max_position_embeddings: 2048,
  activation_function: 'relu',
  do_layer_norm_before: true,
  _remove_final_layer_norm: false,
  enable_bias: true,
  layer_norm_elementwise_affine: true,
  tie_word_embeddings: true,
  word_embed_proj_dim: 2560,
  dropout: 0.1,
  attention_dropout: 0,
  bos_token_id: 2,
  eos_token_id: [50118],
  pad_token_id: 1,
}

/** facebook/opt-6.7b. */
const opt67: OptConfig = { ...opt27, hidden_size: 4096, ffn_dim: 16384, word_embed_proj_dim: 4096 }

/** google/flan-t5-xl, with the exact GELU that LAVIS sets. */
const flanT5Xl: T5Config = {
  model_type: 't5',
  vocab_size: 32128,
  d_model: 2048,
  d_kv: 64,
  d_ff: 5120,
  num_layers: 24,
  num_decoder_layers: 24,
  num_heads: 32,
  relative_attention_num_buckets: 32,
  relative_attention_max_distance: 128,
  dropout_rate: 0.1,
  layer_norm_epsilon: 1e-6,
  feed_forward_proj: 'gated-gelu',
  dense_act_fn: 'gelu',
  is_gated_act: true,
  tie_word_embeddings: false,
  bos_token_id: 1,
  eos_token_id: [1],
  pad_token_id: 0,
  decoder_start_token_id: 0,
}

/** google/flan-t5-xxl. */
const flanT5Xxl: T5Config = { ...flanT5Xl, d_model: 4096, d_ff: 10240, num_heads: 64 }

function blip2(vision_config: VisionConfig, text_config: OptConfig | T5Config): Blip2Config {
  const opt = text_config.model_type === 'opt'
  return {
    model_type: 'blip-2',
    vision_config,
    qformer_config: qformer,
    text_config,
    num_query_tokens: 32,
    image_token_index: opt ? 50265 : 32100,
    use_decoder_only_language_model: opt,
    qformer_reads_question: false,
  }
}

/** mmpretrain builds on facebook/opt-2.7b as it is: no image token, no padding of the vocabulary. */
function mmpretrain(vision_config: VisionConfig): Blip2Config {
  return { ...blip2(vision_config, { ...opt27, vocab_size: 50272 }), image_token_index: undefined }
}

/** With the token [DEC] and the text half of the Q-Former. */
function retrieval(vision_config: VisionConfig): RetrievalConfig {
  const qformer_config = { ...qformer, vocab_size: 30523, use_qformer_text_input: true as const }
  return { model_type: 'blip-2', vision_config, qformer_config, num_query_tokens: 32, image_text_hidden_size: 256 }
}

const withOpt: Licence = { weights: 'MIT', languageModel: 'OPT-175B licence, non-commercial research (Meta)' }
const withFlanT5: Licence = { weights: 'MIT', languageModel: 'Apache-2.0 (Google)' }
const withoutLanguageModel: Licence = { weights: 'see the model card', languageModel: 'none' }

export const presets: readonly Preset[] = [
  {
    kind: 'generation',
    name: 'blip2-opt-2.7b',
    aliases: ['Salesforce/blip2-opt-2.7b', 'blip2_opt/pretrain_opt2.7b'],
    repository: 'Salesforce/blip2-opt-2.7b',
    licence: withOpt,
    downloadBytes: 14_979_047_424,
    captionPrompt: '',
    config: blip2(vitG, opt27),
  },
  {
    kind: 'generation',
    name: 'blip2-opt-2.7b-coco',
    aliases: ['Salesforce/blip2-opt-2.7b-coco', 'blip2_opt/caption_coco_opt2.7b'],
    repository: 'Salesforce/blip2-opt-2.7b-coco',
    licence: withOpt,
    // 3.87 billion parameters on the hub: this one stores the tied output head a second time.
    downloadBytes: 15_496_525_824,
    captionPrompt: 'a photo of',
    config: blip2(vitGAt364, opt27),
  },
  {
    kind: 'generation',
    name: 'blip2-opt-6.7b',
    aliases: ['Salesforce/blip2-opt-6.7b', 'blip2_opt/pretrain_opt6.7b'],
    repository: 'Salesforce/blip2-opt-6.7b',
    licence: withOpt,
    downloadBytes: 31_011_477_504,
    captionPrompt: '',
    config: blip2(vitG, opt67),
  },
  {
    kind: 'generation',
    name: 'blip2-opt-6.7b-coco',
    aliases: ['Salesforce/blip2-opt-6.7b-coco', 'blip2_opt/caption_coco_opt6.7b'],
    repository: 'Salesforce/blip2-opt-6.7b-coco',
    licence: withOpt,
    downloadBytes: 31_013_842_944,
    captionPrompt: 'a photo of',
    config: blip2(vitGAt364, opt67),
  },
  {
    kind: 'generation',
    name: 'blip2-flan-t5-xl',
    aliases: ['Salesforce/blip2-flan-t5-xl', 'blip2_t5/pretrain_flant5xl'],
    repository: 'Salesforce/blip2-flan-t5-xl',
    licence: withFlanT5,
    downloadBytes: 15_769_786_368,
    captionPrompt: '',
    config: blip2(vitG, flanT5Xl),
  },
  {
    kind: 'generation',
    name: 'blip2-flan-t5-xl-coco',
    aliases: ['Salesforce/blip2-flan-t5-xl-coco', 'blip2_t5/caption_coco_flant5xl'],
    repository: 'Salesforce/blip2-flan-t5-xl-coco',
    licence: withFlanT5,
    downloadBytes: 15_772_151_808,
    captionPrompt: 'a photo of',
    config: blip2(vitGAt364, flanT5Xl),
  },
  {
    kind: 'generation',
    name: 'blip2-flan-t5-xxl',
    aliases: ['Salesforce/blip2-flan-t5-xxl', 'blip2_t5/pretrain_flant5xxl'],
    repository: 'Salesforce/blip2-flan-t5-xxl',
    licence: withFlanT5,
    downloadBytes: 48_918_386_688,
    captionPrompt: '',
    config: blip2(vitG, flanT5Xxl),
  },
  {
    kind: 'generation',
    // blip2_pretrained_opt2.7b read at 364 pixels: the weights of blip2-opt-2.7b with resized position embeddings.
    name: 'blip2-opt2.7b_3rdparty-zeroshot_caption',
    aliases: [],
    repository: 'Salesforce/blip2-opt-2.7b',
    licence: withOpt,
    downloadBytes: 14_979_047_424,
    publishedParameters: 3_770_465_152,
    captionPrompt: 'a photo of',
    config: mmpretrain(vitGAt364),
  },
  {
    kind: 'generation',
    // The same weights; its test images have 224 pixels.
    name: 'blip2-opt2.7b_3rdparty-zeroshot_vqa',
    aliases: [],
    repository: 'Salesforce/blip2-opt-2.7b',
    licence: withOpt,
    downloadBytes: 14_979_047_424,
    publishedParameters: 3_770_465_152,
    captionPrompt: '',
    config: mmpretrain(vitG),
  },
  {
    kind: 'retrieval',
    name: 'blip2_3rdparty_retrieval',
    aliases: [
      'blip2-itm-vit-g-coco',
      'Salesforce/blip2-itm-vit-g-coco',
      'blip2/coco',
      'blip2_image_text_matching/coco',
    ],
    repository: 'Salesforce/blip2-itm-vit-g-coco',
    licence: withoutLanguageModel,
    downloadBytes: 4_690_494_472,
    publishedParameters: 1_173_191_358,
    config: retrieval(vitGAt364),
  },
  {
    kind: 'retrieval',
    name: 'blip2-itm-vit-g',
    aliases: [
      'Salesforce/blip2-itm-vit-g',
      'blip2/pretrain',
      'blip2_feature_extractor/pretrain',
      'blip2_image_text_matching/pretrain',
    ],
    repository: 'Salesforce/blip2-itm-vit-g',
    licence: withoutLanguageModel,
    downloadBytes: 4_688_129_032,
    config: retrieval(vitG),
  },
]
