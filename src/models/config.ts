/**
 * config.json of a BLIP-2 checkpoint in the Hugging Face layout. Field names are the published ones, letter for letter.
 *
 * Published files leave out every field that has its default, so the defaults here are part of the format: those of
 * configuration_blip_2.py, configuration_opt.py and configuration_t5.py in transformers 4.47, which wrote the files on the hub.
 * 4.27 wrote everything out, so its other defaults do not matter. One differs: the encoder's layer_norm_eps, 1e-5 then and 1e-6 since
 * (transformers pull request 24854); an older file states the 1e-5 and keeps it.
 *
 * Only what the models support passes. Everything else in the file (generation settings, labels, versions) is dropped.
 */
import { z } from 'zod'
import { ConfigError } from '../errors.ts'

/**
 * Reads a parsed config.json. `where` begins every error, e.g. `config.json`. Throws ConfigError with one line per wrong field:
 * `config.json: vision_config.patch_size: expected a positive integer, found "14"`.
 */
export function parseConfig(json: unknown, where: string): Blip2Config | RetrievalConfig {
  return comparesTexts(json) ? parse(retrievalConfig, json, where) : parse(blip2Config, json, where)
}

/** The same for a model with a language model behind the Q-Former. */
export function parseBlip2Config(json: unknown, where: string): Blip2Config {
  return parse(blip2Config, json, where)
}

export function isRetrievalConfig(config: Blip2Config | RetrievalConfig): config is RetrievalConfig {
  return !('text_config' in config)
}

/**
 * Published files state whether the Q-Former reads texts; the retrieval ones name a language model all the same, which they do not have.
 * So one that reads questions before a language model says so in a field of our own.
 */
function comparesTexts(json: unknown): boolean {
  if (!isRecord(json) || json.qformer_reads_question === true) return false
  return isRecord(json.qformer_config) && json.qformer_config.use_qformer_text_input === true
}

function parse<T>(schema: z.ZodType<T>, json: unknown, where: string): T {
  const result = schema.safeParse(json, { reportInput: true, error: expectedType })
  if (result.success) return result.data
  const lines = result.error.issues.map((issue) => {
    const field = issue.path.length === 0 ? '' : ` ${issue.path.join('.')}:`
    // For an unknown language model, zod gives the whole text_config as the input.
    const found = issue.code === 'invalid_union' && isRecord(issue.input) ? issue.input.model_type : issue.input
    return `${where}:${field} ${issue.message}, found ${shown(found)}`
  })
  throw new ConfigError(lines.join('\n'))
}

/** The message for a value of the wrong type, where the schema has none of its own. */
function expectedType({ code, expected }: { code: string; expected?: unknown }): string | undefined {
  if (code !== 'invalid_type') return undefined
  return expected === 'boolean'
    ? 'expected true or false'
    : `expected ${expected === 'object' ? 'an' : 'a'} ${expected}`
}

/** Pixels, layers, units: whatever is counted. The bound keeps a hostile file from asking for endless graphs. */
function count(most = 2 ** 31 - 1) {
  const message = most === 2 ** 31 - 1 ? 'expected a positive integer' : `expected an integer from 1 to ${most}`
  return z.int(message).min(1, message).max(most, message)
}

const layers = count(512)
const epsilon = z.number('expected a positive number').positive('expected a positive number')
const probability = z
  .number('expected a number from 0 to 1')
  .min(0, 'expected a number from 0 to 1')
  .max(1, 'expected a number from 0 to 1')
const tokenId = z.int('expected a token id').min(0, 'expected a token id')
const flag = z.boolean()

/** A field that has one supported value, which is also its default. The reason is for people who have another one. */
function only<T extends string | number | boolean>(value: T, reason: string) {
  return z.literal(value, `expected ${JSON.stringify(value)} (${reason})`).default(value)
}

const exactGelu = only('gelu', 'no other activation is supported here')

const imageEncoders = ['blip_2_vision_model', 'clip_vision_model'] as const

/**
 * The image encoder without its last block: EVA-CLIP ViT-g/14 (`blip_2_vision_model`) or CLIP ViT-L/14 (`clip_vision_model`, which no
 * published config.json has: LAVIS's files of that model come without one).
 */
const visionConfig = z
  .object({
    model_type: z
      .enum(imageEncoders, `expected ${imageEncoders.map((name) => `"${name}"`).join(' or ')}`)
      .default('blip_2_vision_model'),
    hidden_size: count().default(1408),
    intermediate_size: count().default(6144),
    num_hidden_layers: layers.default(39),
    num_attention_heads: count().default(16),
    num_channels: only(3, 'images are RGB'),
    /** Pixels, of the square image and of a square patch. */
    image_size: count(16384).default(224),
    patch_size: count().default(14),
    hidden_act: z.string().optional(),
    layer_norm_eps: epsilon.default(1e-6),
    /** Of the norm behind the blocks, where it is another one: 1e-5 in LAVIS and mmpretrain. Hugging Face has one for both. */
    post_layernorm_eps: epsilon.optional(),
    qkv_bias: flag.default(true),
    attention_dropout: probability.default(0),
  })
  .check(({ value, issues }) => {
    issues.push(...divides(value, 'hidden_size', 'num_attention_heads'), ...divides(value, 'image_size', 'patch_size'))
    const activation = activationOf(value.model_type)
    if ((value.hidden_act ?? activation) !== activation) {
      issues.push(wrong('hidden_act', `expected "${activation}" (that of a ${value.model_type})`, value.hidden_act))
    }
  })
  .transform((value) => ({
    ...value,
    hidden_act: activationOf(value.model_type),
    post_layernorm_eps: value.post_layernorm_eps ?? value.layer_norm_eps,
  }))

/** The Querying Transformer. */
const qformerConfig = z
  .object({
    vocab_size: count().default(30522),
    hidden_size: count().default(768),
    num_hidden_layers: layers.default(12),
    num_attention_heads: count().default(12),
    intermediate_size: count().default(3072),
    hidden_act: exactGelu,
    hidden_dropout_prob: probability.default(0.1),
    attention_probs_dropout_prob: probability.default(0.1),
    max_position_embeddings: count().default(512),
    initializer_range: epsilon.default(0.02),
    layer_norm_eps: epsilon.default(1e-12),
    pad_token_id: tokenId.nullish().transform((id) => id ?? 0),
    position_embedding_type: only('absolute', 'relative positions are not supported'),
    /** Layers 0, n, 2n, … have cross-attention. */
    cross_attention_frequency: count().default(2),
    /** The hidden size of the image encoder; transformers always sets it to that. */
    encoder_hidden_size: count().optional(),
    /** Whether it has a text half: word embeddings and a feed-forward of their own. Default: as `qformer_reads_question`. */
    use_qformer_text_input: flag.default(false),
  })
  .check(({ value, issues }) => {
    issues.push(...divides(value, 'hidden_size', 'num_attention_heads'))
  })

/** OPT, the decoder-only language model: pre-norm, with learned positions and the head tied to the token table. */
const optConfig = z
  .object({
    model_type: z.literal('opt').default('opt'),
    vocab_size: count().default(50272),
    hidden_size: count().default(768),
    num_hidden_layers: layers.default(12),
    ffn_dim: count().default(3072),
    num_attention_heads: count().default(12),
    max_position_embeddings: count().default(2048),
    activation_function: only('relu', 'OPT has no other activation'),
    do_layer_norm_before: only(true, 'post-norm models such as opt-350m are not supported'),
    _remove_final_layer_norm: only(false, 'models without a final norm are not supported'),
    enable_bias: only(true, 'models without biases are not supported'),
    layer_norm_elementwise_affine: only(true, 'norms without weights are not supported'),
    tie_word_embeddings: only(true, 'an output head of its own is not supported'),
    word_embed_proj_dim: count().nullish(),
    dropout: probability.default(0.1),
    attention_dropout: probability.default(0),
    bos_token_id: tokenId.default(2),
    eos_token_id: tokenIds([2]),
    pad_token_id: tokenId.default(1),
  })
  .check(({ value, issues }) => {
    const { hidden_size, word_embed_proj_dim } = value
    issues.push(...divides(value, 'hidden_size', 'num_attention_heads'))
    if ((word_embed_proj_dim ?? hidden_size) !== hidden_size) {
      const message = `expected hidden_size, ${hidden_size} (models that project their token table, such as opt-350m, are not supported)`
      issues.push(wrong('word_embed_proj_dim', message, word_embed_proj_dim))
    }
  })
  .transform((value) => ({ ...value, word_embed_proj_dim: value.hidden_size }))

/** Flan-T5, the encoder-decoder language model: gated exact GELU, relative position bias, a head of its own. */
const t5Config = z
  .object({
    model_type: z.literal('t5'),
    vocab_size: count().default(32128),
    d_model: count().default(512),
    d_kv: count().default(64),
    d_ff: count().default(2048),
    num_layers: layers.default(6),
    num_decoder_layers: layers.nullish(),
    num_heads: count().default(8),
    relative_attention_num_buckets: count().default(32),
    relative_attention_max_distance: count().default(128),
    dropout_rate: probability.default(0.1),
    layer_norm_epsilon: epsilon.default(1e-6),
    feed_forward_proj: z.string().default('relu'),
    dense_act_fn: z.string().nullish(),
    is_gated_act: flag.nullish(),
    tie_word_embeddings: flag.default(true),
    bos_token_id: tokenId.nullish(),
    eos_token_id: tokenIds([1]),
    pad_token_id: tokenId.default(0),
    decoder_start_token_id: tokenId.nullish(),
  })
  .check(({ value, issues }) => {
    const { feed_forward_proj, tie_word_embeddings } = value
    const { dense_act_fn, is_gated_act } = t5FeedForward(value)
    if (!is_gated_act)
      issues.push(wrong('feed_forward_proj', 'expected "gated-gelu" (T5 1.0 is not supported)', feed_forward_proj))
    else if (dense_act_fn !== 'gelu') {
      const message =
        'expected "gelu" (the exact one, which the released BLIP-2 uses; "gated-gelu" alone means "gelu_new")'
      issues.push(wrong('dense_act_fn', message, dense_act_fn))
    }
    if (tie_word_embeddings)
      issues.push(
        wrong('tie_word_embeddings', 'expected false (T5 1.0, whose head is the token table, is not supported)', true),
      )
  })
  .transform((value) => ({
    ...value,
    num_decoder_layers: value.num_decoder_layers ?? value.num_layers,
    dense_act_fn: 'gelu' as const,
    is_gated_act: true as const,
    tie_word_embeddings: false as const,
    bos_token_id: value.bos_token_id ?? undefined,
    // What T5's own `_shift_right` documents: "In T5 it is usually set to the pad_token_id".
    decoder_start_token_id: value.decoder_start_token_id ?? value.pad_token_id,
  }))

/** What both kinds of model have. */
const shared = {
  model_type: z.literal('blip-2', 'expected "blip-2"'),
  vision_config: visionConfig.prefault({}),
  qformer_config: qformerConfig.prefault({}),
  num_query_tokens: count()
    .nullish()
    .transform((tokens) => tokens ?? 32),
}

const blip2Config = z
  .preprocess(
    fromTop,
    z.object(
      {
        ...shared,
        text_config: z.discriminatedUnion('model_type', [optConfig, t5Config], {
          error: (issue) => (issue.code === 'invalid_union' ? 'expected "opt" or "t5"' : 'expected an object'),
        }),
        /** The id that newer processors put into the text where the image stands. Older files have none, and need none. */
        image_token_index: tokenId.nullish().transform((id) => id ?? undefined),
        use_decoder_only_language_model: flag.nullish(),
        /** Our own field: the Q-Former reads the question beside the image (Li et al. 2023, section 4.3), by its text half. */
        qformer_reads_question: flag.default(false),
      },
      'expected an object',
    ),
  )
  .check(({ value, issues }) => {
    const { qformer_config, text_config, use_decoder_only_language_model, qformer_reads_question } = value
    issues.push(...seesEncoder(value))
    if (qformer_config.use_qformer_text_input !== qformer_reads_question) {
      const message = `expected ${qformer_reads_question} (before a language model it is as qformer_reads_question)`
      issues.push(wrong(['qformer_config', 'use_qformer_text_input'], message, !qformer_reads_question))
    }
    const decoderOnly = text_config.model_type === 'opt'
    if ((use_decoder_only_language_model ?? decoderOnly) !== decoderOnly) {
      const message = `expected ${decoderOnly} for text_config.model_type "${text_config.model_type}"`
      issues.push(wrong('use_decoder_only_language_model', message, use_decoder_only_language_model))
    }
  })
  .transform((value) => ({
    ...value,
    qformer_config: { ...value.qformer_config, encoder_hidden_size: value.vision_config.hidden_size },
    use_decoder_only_language_model: value.text_config.model_type === 'opt',
  }))

/** The model of the first stage, which compares images with texts (Blip2ForImageTextRetrieval). */
const retrievalConfig = z
  .object(
    {
      ...shared,
      /** Width of the space in which images and texts are compared. */
      image_text_hidden_size: count().default(256),
    },
    'expected an object',
  )
  .check(({ value, issues }) => {
    issues.push(...seesEncoder(value))
  })
  .transform((value) => ({
    ...value,
    qformer_config: {
      ...value.qformer_config,
      encoder_hidden_size: value.vision_config.hidden_size,
      use_qformer_text_input: true as const,
    },
  }))

export type VisionConfig = z.infer<typeof visionConfig>
export type QFormerConfig = Blip2Config['qformer_config']
export type RetrievalConfig = z.infer<typeof retrievalConfig>
export type OptConfig = z.infer<typeof optConfig>
export type T5Config = z.infer<typeof t5Config>
export type Blip2Config = z.infer<typeof blip2Config>

/** One end-of-sequence token or several; read as a list. */
function tokenIds(fallback: number[]) {
  const message = 'expected a token id or a list of them'
  return z.union([tokenId.transform((id) => [id]), z.array(tokenId).min(1, message)], message).default(fallback)
}

/** transformers 4.27, T5Config: the activation follows from feed_forward_proj unless the file states it. */
function t5FeedForward(config: {
  feed_forward_proj: string
  dense_act_fn?: string | null | undefined
  is_gated_act?: boolean | null | undefined
}): { dense_act_fn: string; is_gated_act: boolean } {
  const parts = config.feed_forward_proj.split('-')
  const named = config.feed_forward_proj === 'gated-gelu' ? 'gelu_new' : (parts.at(-1) as string)
  return { dense_act_fn: config.dense_act_fn ?? named, is_gated_act: config.is_gated_act ?? parts[0] === 'gated' }
}

/** With the fields of the parts that follow from those at the top of the file. */
function fromTop(json: unknown): unknown {
  return isRecord(json) ? { ...json, ...textFromTop(json), ...qformerFromTop(json) } : json
}

/** Without a model_type it is OPT. */
function textFromTop({ text_config, ...top }: Record<string, unknown>): object {
  if (!isRecord(text_config)) return {}
  const inherited = 'tie_word_embeddings' in top ? { tie_word_embeddings: top.tie_word_embeddings } : {}
  return { text_config: { model_type: 'opt', ...inherited, ...text_config } }
}

function qformerFromTop({ qformer_config = {}, qformer_reads_question }: Record<string, unknown>): object {
  if (qformer_reads_question !== true || !isRecord(qformer_config)) return {}
  return { qformer_config: { use_qformer_text_input: true, ...qformer_config } }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function activationOf(encoder: (typeof imageEncoders)[number]): 'gelu' | 'quick_gelu' {
  return encoder === 'clip_vision_model' ? 'quick_gelu' : 'gelu'
}

/** Nothing if the Q-Former's cross-attention has the width of the image encoder, else one issue. */
function seesEncoder(config: {
  vision_config: { hidden_size: number }
  qformer_config: { encoder_hidden_size?: number | undefined }
}) {
  const { hidden_size } = config.vision_config
  const found = config.qformer_config.encoder_hidden_size
  if ((found ?? hidden_size) === hidden_size) return []
  return [wrong(['qformer_config', 'encoder_hidden_size'], `expected vision_config.hidden_size, ${hidden_size}`, found)]
}

function wrong(path: string | string[], message: string, input: unknown) {
  return { code: 'custom' as const, path: [path].flat(), message, input }
}

/** Nothing if `config[divisor]` divides `config[whole]`, else one issue. */
function divides<A extends string, B extends string>(config: NoInfer<Record<A | B, number>>, whole: A, divisor: B) {
  if (config[whole] % config[divisor] === 0) return []
  return [wrong(whole, `expected a multiple of ${divisor}, ${config[divisor]}`, config[whole])]
}

function shown(input: unknown): string {
  const text = JSON.stringify(input) ?? 'nothing'
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
