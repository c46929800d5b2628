/** A world that a tiny model learns by heart: eight pictures of 16 pixels, each of one colour, their captions and questions, three tokenizers, random weights. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { writeSafetensors } from '../../src/checkpoints/node.ts'
import { input } from '../../src/graph/index.ts'
import { isRetrievalConfig, parseConfig } from '../../src/models/config.ts'
import { imageHidden } from '../../src/models/image-encoder.ts'
import { stage1Graph } from '../../src/models/stage1.ts'
import { stage2Graph } from '../../src/models/stage2.ts'
import { initialisedParams, recorderParams } from '../../src/nn/index.ts'
import { byteCharacters, byteLevelTokenizer } from '../../src/tokenizers/byte-level.ts'
import { specialToken } from '../../src/tokenizers/tokenizer-json.ts'
import { parseRecipe, type Recipe } from '../../src/training/recipe.ts'

const colours = {
  red: [220, 30, 30],
  green: [30, 180, 60],
  blue: [40, 60, 220],
  white: [245, 245, 245],
  black: [10, 10, 10],
  yellow: [240, 220, 40],
  pink: [250, 150, 200],
  brown: [120, 70, 20],
} as const

/** One picture each. */
export const scenes = Object.keys(colours) as (keyof typeof colours)[]

export const captionOf = (colour: string) => `a ${colour} square`
export const question = 'what colour is it?'

const words = [
  ...['a', 'square', 'what', 'colour', 'is', 'it', 'photo', 'of', ...scenes],
  ...['Question', 'Answer', 'Short', 'answer', ':', '?'],
]

/** Files of the data set and the tokenizers; returns the folder. */
export async function writeTinyData(folder: string): Promise<string> {
  mkdirSync(join(folder, 'images'), { recursive: true })
  await Promise.all(scenes.map((scene, i) => drawPicture(join(folder, 'images', `${i}.png`), scene)))
  const json = (name: string, value: unknown) => writeFileSync(join(folder, name), JSON.stringify(value))
  json('captions.json', {
    images: scenes.map((_, id) => ({ id, file_name: `${id}.png` })),
    annotations: scenes.map((colour, image_id) => ({ image_id, caption: captionOf(colour) })),
  })
  json('questions.json', { questions: scenes.map((_, id) => ({ question_id: id, image_id: id, question })) })
  json('answers.json', {
    annotations: scenes.map((colour, question_id) => ({ question_id, answers: [{ answer: colour }] })),
  })
  writeFileSync(join(folder, 'texts.txt'), texts().join('\n'))
  writeTokenizers(folder)
  return folder
}

/** What is said of a colour, alone and behind the colour some times over: a language model learns to listen to what comes first. */
function texts(): string[] {
  return scenes.flatMap((colour) =>
    [0, 0, 3, 4, 5].flatMap((times) => {
      const first = Array.from({ length: times }, () => `${colour} `).join('')
      return [captionOf(colour), `Question: ${question} Answer: ${colour}`].map((said) => `${first}${said}`)
    }),
  )
}

async function drawPicture(file: string, colour: (typeof scenes)[number]): Promise<void> {
  const pixels = Array.from({ length: 16 * 16 }, () => colours[colour])
  await sharp(Uint8Array.from(pixels.flat()), { raw: { width: 16, height: 16, channels: 3 } })
    .png()
    .toFile(file)
}

/** Folders `bert`, `opt` and `t5` with the words above. */
function writeTokenizers(folder: string): void {
  for (const name of ['bert', 'opt', 't5']) mkdirSync(join(folder, name), { recursive: true })
  const bert = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...words]
  writeFileSync(join(folder, 'bert', 'vocab.txt'), bert.join('\n'))
  writeFileSync(join(folder, 'opt', 'tokenizer.json'), JSON.stringify(optTokenizer()))
  writeFileSync(join(folder, 't5', 'tokenizer.json'), JSON.stringify(t5Tokenizer()))
}

/** Ids of the special tokens as in OPT, and of the line break. */
const lineBreak = 4

function optTokenizer(): unknown {
  const special = ['<s>', '<pad>', '</s>', '<unk>'].map((content, id) => ({ ...specialToken(content), id }))
  const spelt = (text: string) => Array.from(new TextEncoder().encode(text), (byte) => byteCharacters[byte]).join('')
  const tokens = ['\n', ...words.flatMap((word) => [word, ` ${word}`])].map(spelt)
  const vocab = new Map([...special.map(({ content }) => content), ...tokens].map((token, id) => [token, id]))
  return byteLevelTokenizer({
    vocab,
    merges: [],
    addedTokens: special,
    start: special[2],
    unknown: special[3],
    wholeWords: true,
  })
}

function t5Tokenizer(): unknown {
  const special = ['<pad>', '</s>', '<unk>']
  const metaspace = { type: 'Metaspace', replacement: '▁', add_prefix_space: true }
  return {
    version: '1.0',
    added_tokens: special.map((content, id) => ({ id, ...specialToken(content) })),
    normalizer: null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, metaspace] },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }],
      pair: [],
      special_tokens: { '</s>': { id: '</s>', ids: [1], tokens: ['</s>'] } },
    },
    decoder: metaspace,
    model: {
      type: 'Unigram',
      unk_id: 2,
      vocab: [
        ...special.map((token) => [token, 0]),
        ...words.flatMap((word) => [`▁${word}`, word]).map((w) => [w, -3]),
      ],
    },
  }
}

const vision = { hidden_size: 16, intermediate_size: 32, num_hidden_layers: 1, num_attention_heads: 2 }
const image = { image_size: 16, patch_size: 8 }
const qformer = {
  ...{ hidden_size: 16, intermediate_size: 32, num_hidden_layers: 2, num_attention_heads: 2 },
  max_position_embeddings: 16,
}
const shared = { model_type: 'blip-2', vision_config: { ...vision, ...image }, num_query_tokens: 4 }

const opt = {
  ...{ model_type: 'opt', hidden_size: 16, ffn_dim: 32, num_hidden_layers: 1, num_attention_heads: 2 },
  ...{ vocab_size: 56, max_position_embeddings: 48, eos_token_id: lineBreak },
} as const
const t5 = {
  ...{ model_type: 't5', d_model: 16, d_kv: 8, d_ff: 32, num_layers: 1, num_heads: 2, vocab_size: 56 },
  ...{ feed_forward_proj: 'gated-gelu', dense_act_fn: 'gelu', tie_word_embeddings: false },
} as const
/** The Q-Former reads the question too. */
const asked = { qformer_reads_question: true, qformer_config: { ...qformer, vocab_size: 32 } } as const

/** Fields of config.json. */
export const configs = {
  retrieval: {
    ...shared,
    qformer_config: { ...qformer, use_qformer_text_input: true, vocab_size: 32 },
    image_text_hidden_size: 16,
  },
  opt: {
    ...shared,
    qformer_config: qformer,
    text_config: opt,
  },
  asked: { ...shared, ...asked, text_config: opt },
  askedT5: { ...shared, ...asked, text_config: t5 },
  t5: {
    ...shared,
    qformer_config: qformer,
    text_config: t5,
  },
} as const

/** A model folder with random weights of all parts; returns it. */
export async function writeTinyModel(folder: string, config: keyof typeof configs): Promise<string> {
  const json = configs[config]
  const parsed = parseConfig(json, 'tiny')
  const { params, shapes } = recorderParams()
  const hidden = imageHidden(params, parsed.vision_config, input('pixel_values', 'float32', ['batch', 3, 16, 16]))
  if (isRetrievalConfig(parsed)) stage1Graph(params, parsed, hidden, { decTokenId: 5 })
  else stage2Graph(params, parsed, hidden)
  const fresh = initialisedParams({ seed: 7, deviation: 0.2 })
  const tensors = Array.from(shapes, ([name, shape]) => {
    const { source } = fresh.get(name, shape)
    if (source.kind !== 'parameter' || source.data?.kind !== 'memory') throw new Error(name)
    return { name, dtype: 'F32' as const, shape, data: source.data.values }
  })
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'config.json'), JSON.stringify(json))
  await writeSafetensors(join(folder, 'model.safetensors'), tensors)
  return folder
}

/** The same of a model whose Q-Former reads questions, with both its tokenizers, so that it can be loaded. */
export async function writeAskedModel(folder: string, data: string, config: 'asked' | 'askedT5'): Promise<string> {
  await writeTinyModel(folder, config)
  mkdirSync(join(folder, 'qformer_tokenizer'))
  const language = join(data, config === 'asked' ? 'opt' : 't5', 'tokenizer.json')
  copyFileSync(language, join(folder, 'tokenizer.json'))
  copyFileSync(join(data, 'bert', 'vocab.txt'), join(folder, 'qformer_tokenizer', 'vocab.txt'))
  return folder
}

/** What a tiny recipe leaves to `tinyRecipe`. */
export interface TinyRecipe {
  readonly objective: Recipe['objective']
  readonly model: object
  readonly data?: object
  readonly [field: string]: unknown
}

/** A recipe over the files of `writeTinyData`, whose paths start at their folder. */
export function tinyRecipe(output: string, { objective, data, ...fields }: TinyRecipe): Recipe {
  const captions = { kind: 'captions', annotations: 'captions.json', images: 'images' }
  const train = objective === 'language-model' ? { kind: 'text', file: 'texts.txt' } : captions
  return parseRecipe(
    {
      objective,
      output,
      data: { train: [train], max_text_length: 16, ...data },
      batch: 8,
      steps: 20,
      optimiser: {},
      schedule: { peak: 0.01 },
      log_every: 5,
      ...fields,
    },
    'tiny',
  )
}
