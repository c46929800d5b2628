/**
 * The names of BLIP-2's tensors in the checkpoints of transformers (4.27 to 4.47), LAVIS 506965b and mmpretrain ee7f2e8, side by side.
 * The full table with shapes is test/reference/vision/checkpoint-key-map.md; the tests hold this one against it.
 *
 *     {i}       the number of a layer
 *     *         `weight` and `bias`
 *     [q] [v]   this third of the tensor: Hugging Face joins [q, k, v], where k is zero and stored by nobody else
 *     -         no name: the tensor keeps the one that LAVIS gives it
 */

export type Naming = 'huggingface' | 'lavis' | 'mmpretrain'

/** What a checkpoint must have besides for a row to be meant, where two rows share a name. */
export type Trait = 'opt' | 't5' | 'retrieval'

export type Part =
  | 'image encoder'
  | 'encoder norm'
  | 'query tokens'
  | 'Q-Former'
  | 'Q-Former text'
  | 'captioning head'
  | 'comparison'
  | 'projection'
  | 'language model'

export interface Section {
  readonly part: Part
  readonly trait?: Trait
  /** What the names of each column begin with. */
  readonly below?: readonly [huggingface: string, lavis: string, mmpretrain: string]
  readonly rows: readonly (readonly [huggingface: string, lavis: string, mmpretrain: string])[]
}

/** The language model inside keeps the names of its publisher. mmpretrain has published none with T5; there it would be named like OPT. */
const languageModel = (trait: 'opt' | 't5', names: readonly string[]): Section => ({
  part: 'language model',
  trait,
  below: ['language_model.', `${trait}_model.`, 'text_backbone.'],
  rows: names.map((name) => [name, name, name]),
})

/** facebook/opt-*. */
const optNames = [
  'model.decoder.embed_tokens.weight',
  'model.decoder.embed_positions.weight',
  'model.decoder.final_layer_norm.*',
  'model.decoder.layers.{i}.self_attn.q_proj.*',
  'model.decoder.layers.{i}.self_attn.k_proj.*',
  'model.decoder.layers.{i}.self_attn.v_proj.*',
  'model.decoder.layers.{i}.self_attn.out_proj.*',
  'model.decoder.layers.{i}.self_attn_layer_norm.*',
  'model.decoder.layers.{i}.fc1.*',
  'model.decoder.layers.{i}.fc2.*',
  'model.decoder.layers.{i}.final_layer_norm.*',
  'lm_head.weight',
] as const

/** google/flan-t5-*. */
const t5Names = [
  'shared.weight',
  'encoder.embed_tokens.weight',
  'encoder.block.{i}.layer.0.SelfAttention.q.weight',
  'encoder.block.{i}.layer.0.SelfAttention.k.weight',
  'encoder.block.{i}.layer.0.SelfAttention.v.weight',
  'encoder.block.{i}.layer.0.SelfAttention.o.weight',
  'encoder.block.{i}.layer.0.SelfAttention.relative_attention_bias.weight',
  'encoder.block.{i}.layer.0.layer_norm.weight',
  'encoder.block.{i}.layer.1.DenseReluDense.wi_0.weight',
  'encoder.block.{i}.layer.1.DenseReluDense.wi_1.weight',
  'encoder.block.{i}.layer.1.DenseReluDense.wo.weight',
  'encoder.block.{i}.layer.1.layer_norm.weight',
  'encoder.final_layer_norm.weight',
  'decoder.embed_tokens.weight',
  'decoder.block.{i}.layer.0.SelfAttention.q.weight',
  'decoder.block.{i}.layer.0.SelfAttention.k.weight',
  'decoder.block.{i}.layer.0.SelfAttention.v.weight',
  'decoder.block.{i}.layer.0.SelfAttention.o.weight',
  'decoder.block.{i}.layer.0.SelfAttention.relative_attention_bias.weight',
  'decoder.block.{i}.layer.0.layer_norm.weight',
  'decoder.block.{i}.layer.1.EncDecAttention.q.weight',
  'decoder.block.{i}.layer.1.EncDecAttention.k.weight',
  'decoder.block.{i}.layer.1.EncDecAttention.v.weight',
  'decoder.block.{i}.layer.1.EncDecAttention.o.weight',
  'decoder.block.{i}.layer.1.layer_norm.weight',
  'decoder.block.{i}.layer.2.DenseReluDense.wi_0.weight',
  'decoder.block.{i}.layer.2.DenseReluDense.wi_1.weight',
  'decoder.block.{i}.layer.2.DenseReluDense.wo.weight',
  'decoder.block.{i}.layer.2.layer_norm.weight',
  'decoder.final_layer_norm.weight',
  'lm_head.weight',
] as const

/** In the order in which an image passes them. */
export const sections: readonly Section[] = [
  {
    part: 'image encoder', // EVA-CLIP ViT-g
    below: ['vision_model.embeddings.', 'visual_encoder.', 'vision_backbone.'],
    rows: [
      ['class_embedding', 'cls_token', 'cls_token'],
      ['position_embedding', 'pos_embed', 'pos_embed'],
      ['patch_embedding.*', 'patch_embed.proj.*', 'patch_embed.projection.*'],
    ],
  },
  {
    part: 'image encoder',
    below: ['vision_model.encoder.layers.{i}.', 'visual_encoder.blocks.{i}.', 'vision_backbone.layers.{i}.'],
    rows: [
      ['layer_norm1.*', 'norm1.*', 'ln1.*'],
      ['self_attn.qkv.weight', 'attn.qkv.weight', 'attn.qkv.weight'],
      ['self_attn.qkv.bias[q]', 'attn.q_bias', 'attn.q_bias'],
      ['self_attn.qkv.bias[v]', 'attn.v_bias', 'attn.v_bias'],
      ['self_attn.projection.*', 'attn.proj.*', 'attn.proj.*'],
      ['layer_norm2.*', 'norm2.*', 'ln2.*'],
      ['mlp.fc1.*', 'mlp.fc1.*', 'ffn.layers.0.0.*'],
      ['mlp.fc2.*', 'mlp.fc2.*', 'ffn.layers.1.*'],
    ],
  },
  {
    part: 'image encoder', // CLIP ViT-L: only LAVIS has published it inside BLIP-2
    rows: [
      ['-', 'visual_encoder.class_embedding', '-'],
      ['-', 'visual_encoder.positional_embedding', '-'],
      ['-', 'visual_encoder.conv1.weight', '-'],
      ['-', 'visual_encoder.ln_pre.*', '-'],
      ['-', 'visual_encoder.transformer.resblocks.{i}.attn.in_proj_weight', '-'],
      ['-', 'visual_encoder.transformer.resblocks.{i}.attn.in_proj_bias', '-'],
      ['-', 'visual_encoder.transformer.resblocks.{i}.attn.out_proj.*', '-'],
      ['-', 'visual_encoder.transformer.resblocks.{i}.ln_1.*', '-'],
      ['-', 'visual_encoder.transformer.resblocks.{i}.mlp.c_fc.*', '-'],
      ['-', 'visual_encoder.transformer.resblocks.{i}.mlp.c_proj.*', '-'],
      ['-', 'visual_encoder.transformer.resblocks.{i}.ln_2.*', '-'],
    ],
  },
  {
    part: 'encoder norm',
    rows: [['vision_model.post_layernorm.*', 'ln_vision.*', 'ln_vision_backbone.*']],
  },
  {
    part: 'query tokens',
    rows: [['query_tokens', 'query_tokens', 'query_tokens']],
  },
  {
    part: 'Q-Former text',
    below: ['embeddings.', 'Qformer.bert.embeddings.', 'multimodal_backbone.bert.embeddings.'],
    rows: [
      ['word_embeddings.weight', 'word_embeddings.weight', 'word_embeddings.weight'],
      ['position_embeddings.weight', 'position_embeddings.weight', 'position_embeddings.weight'],
    ],
  },
  {
    part: 'Q-Former',
    below: ['qformer.', 'Qformer.bert.', 'multimodal_backbone.bert.'],
    rows: [
      ['-', 'embeddings.position_ids', 'embeddings.position_ids'],
      ['layernorm.*', 'embeddings.LayerNorm.*', 'embeddings.LayerNorm.*'],
    ],
  },
  {
    part: 'Q-Former',
    below: [
      'qformer.encoder.layer.{i}.',
      'Qformer.bert.encoder.layer.{i}.',
      'multimodal_backbone.bert.encoder.layer.{i}.',
    ],
    rows: [
      ['attention.attention.query.*', 'attention.self.query.*', 'attention.self.query.*'],
      ['attention.attention.key.*', 'attention.self.key.*', 'attention.self.key.*'],
      ['attention.attention.value.*', 'attention.self.value.*', 'attention.self.value.*'],
      ['attention.output.dense.*', 'attention.output.dense.*', 'attention.output.dense.*'],
      ['attention.output.LayerNorm.*', 'attention.output.LayerNorm.*', 'attention.output.LayerNorm.*'],
      ['crossattention.attention.query.*', 'crossattention.self.query.*', 'crossattention.self.query.*'],
      ['crossattention.attention.key.*', 'crossattention.self.key.*', 'crossattention.self.key.*'],
      ['crossattention.attention.value.*', 'crossattention.self.value.*', 'crossattention.self.value.*'],
      ['crossattention.output.dense.*', 'crossattention.output.dense.*', 'crossattention.output.dense.*'],
      ['crossattention.output.LayerNorm.*', 'crossattention.output.LayerNorm.*', 'crossattention.output.LayerNorm.*'],
      ['intermediate_query.dense.*', 'intermediate_query.dense.*', 'intermediate_query.dense.*'],
      ['output_query.dense.*', 'output_query.dense.*', 'output_query.dense.*'],
      ['output_query.LayerNorm.*', 'output_query.LayerNorm.*', 'output_query.LayerNorm.*'],
    ],
  },
  {
    part: 'Q-Former text',
    below: [
      'qformer.encoder.layer.{i}.',
      'Qformer.bert.encoder.layer.{i}.',
      'multimodal_backbone.bert.encoder.layer.{i}.',
    ],
    rows: [
      ['intermediate.dense.*', 'intermediate.dense.*', 'intermediate.dense.*'],
      ['output.dense.*', 'output.dense.*', 'output.dense.*'],
      ['output.LayerNorm.*', 'output.LayerNorm.*', 'output.LayerNorm.*'],
    ],
  },
  {
    part: 'captioning head',
    below: ['', 'Qformer.cls.predictions.', 'multimodal_backbone.cls.predictions.'],
    rows: [
      ['-', 'bias', 'bias'],
      ['-', 'transform.dense.*', 'transform.dense.*'],
      ['-', 'transform.LayerNorm.*', 'transform.LayerNorm.*'],
      ['-', 'decoder.*', 'decoder.*'],
    ],
  },
  {
    part: 'comparison',
    trait: 'retrieval',
    rows: [
      ['vision_projection.*', 'vision_proj.*', 'vision_neck.fc.*'],
      ['text_projection.*', 'text_proj.*', 'text_neck.fc.*'],
      ['itm_head.*', 'itm_head.*', 'multimodal_head.fc.*'],
      ['-', 'temp', 'temp'],
    ],
  },
  {
    part: 'projection',
    trait: 'opt',
    rows: [['language_projection.*', 'opt_proj.*', 'vision_neck.fc.*']],
  },
  languageModel('opt', optNames),
  {
    part: 'projection',
    trait: 't5',
    rows: [['language_projection.*', 't5_proj.*', 'vision_neck.fc.*']],
  },
  languageModel('t5', t5Names),
]

/**
 * Names of one and the same tensor. Files of PyTorch hold all of them over one storage; transformers, writing safetensors, keeps the
 * first (`_tied_weights_keys` of OPTForCausalLM, T5ForConditionalGeneration and BertForMaskedLM are the others).
 */
export const tiedTensors: readonly (readonly string[])[] = [
  ['embeddings.word_embeddings.weight', 'Qformer.cls.predictions.decoder.weight'],
  ['Qformer.cls.predictions.bias', 'Qformer.cls.predictions.decoder.bias'],
  ['language_model.model.decoder.embed_tokens.weight', 'language_model.lm_head.weight'],
  [
    'language_model.shared.weight',
    'language_model.encoder.embed_tokens.weight',
    'language_model.decoder.embed_tokens.weight',
  ],
]
