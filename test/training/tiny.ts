/** A world that a tiny model learns by heart: eight pictures of 16 pixels, their captions and questions, three tokenizers, random weights. */
import { mkdirSync, writeFileSync } from 'node:fs'
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

const colours = { red: [220, 40, 40], green: [40, 180, 60], blue: [50, 70, 220], white: [240, 240, 240] } as const
type Colour = keyof typeof colours

/** Colours of the square and of what is behind it: no two pictures are alike. */
export const scenes = (Object.keys(colours) as Colour[]).flatMap((square, i, all) =>
  [1, 2].map((step) => ({ square, behind: all[(i + step) % all.length] as Colour })),
)

const captionOf = ({ square, behind }: (typeof scenes)[number]) => `a ${square} square on ${behind}`

const words = [
  ...['a', 'square', 'on', ...Object.keys(colours), 'what', 'colour', 'is', 'the', 'behind', 'it', 'photo', 'of'],
  ...['Question', 'Answer', 'Short', 'answer', ':', '?'],
]

/** Files of the data set and the tokenizers; returns the folder. */
export async function writeTinyData(folder: string): Promise<string> {
  mkdirSync(join(folder, 'images'), { recursive: true })
  await Promise.all(scenes.map((scene, i) => drawPicture(join(folder, 'images', `${i}.png`), scene)))
  const json = (name: string, value: unknown) => writeFileSync(join(folder, name), JSON.stringify(value))
  json('captions.json', {
    images: scenes.map((_, id) => ({ id, file_name: `${id}.png` })),
    annotations: scenes.map((scene, image_id) => ({ image_id, caption: captionOf(scene) })),
  })
  const questions = scenes.flatMap(({ square, behind }, image_id) => [
    { question_id: 2 * image_id, image_id, question: 'what colour is the square?', answer: square },
    { question_id: 2 * image_id + 1, image_id, question: 'what colour is behind it?', answer: behind },
  ])
  json('questions.json', { questions })
  json('answers.json', {
    annotations: questions.map(({ question_id, answer }) => ({ question_id, answers: [{ answer }] })),
  })
  writeFileSync(join(folder, 'texts.txt'), scenes.map(captionOf).join('\n'))
  writeTokenizers(folder)
  return folder
}

async function drawPicture(file: string, { square, behind }: (typeof scenes)[number]): Promise<void> {
  const pixels = Array.from({ length: 16 * 16 }, (_, at) => {
    const [x, y] = [at % 16, Math.floor(at / 16)]
    return colours[x >= 4 && x < 12 && y >= 4 && y < 12 ? square : behind]
  })
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
    text_config: {
      ...{ model_type: 'opt', hidden_size: 16, ffn_dim: 32, num_hidden_layers: 1, num_attention_heads: 2 },
      ...{ vocab_size: 56, max_position_embeddings: 48, eos_token_id: lineBreak },
    },
  },
  t5: {
    ...shared,
    qformer_config: qformer,
    text_config: {
      ...{ model_type: 't5', d_model: 16, d_kv: 8, d_ff: 32, num_layers: 1, num_heads: 2, vocab_size: 56 },
      ...{ feed_forward_proj: 'gated-gelu', dense_act_fn: 'gelu', tie_word_embeddings: false },
    },
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
