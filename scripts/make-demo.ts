/**
 * Writes the scenes that `npm run demo` shows and a text for each; and for the tests a complete checkpoint folder of tiny size, whose words
 * mean nothing (its weights are the random ones of test/reference/hf-blip2-opt), and a drawn picture that is no scene.
 * Run after `npm run build:all`: `node build/scripts/make-demo.js`. The outputs are committed.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { writePicture } from '../scenes/node-dataset.ts'
import { byteLevelTokenizer } from '../src/tokenizers/byte-level.ts'
import { specialToken } from '../src/tokenizers/tokenizer-json.ts'
import { demoScenes } from './demo-scenes.ts'

/**
 * The vocabulary, one id per place. The ids that config.json names are 1 padding, 2 start and 12 end of text (a line
 * break, as in LAVIS's OPT). `_` is a leading space.
 */
const vocabulary = `
  <s> <pad> </s> <unk> a _a _photo _of _blue _the _and _with NEWLINE Question : ? . , What _what _where _how _many
  _colour _is _hill _are _sailing _Short _Answer _answer _in _on _under _behind _this _picture _there _it _yes _no _one
  _two _three _red _yellow _green _white _sunny _sun _sky _cloud _bird _tree _house _lighthouse _beach _calm _bright
  _sea _boat _water _small _large _sail _floats _stands`

const special = ['<s>', '<pad>', '</s>', '<unk>'].map((content, id) => ({ id, ...specialToken(content) }))

/** Spelt in the byte-level alphabet, where Ġ is a space and Ċ a line break. */
const tokens = vocabulary
  .trim()
  .split(/\s+/)
  .map((word) => (word === 'NEWLINE' ? 'Ċ' : word.replace('_', 'Ġ')))

/** Byte-level BPE whose merges are replaced by whole words; all other text becomes <unk>. Starts a text like OPT's. */
const tokenizer = byteLevelTokenizer({
  vocab: new Map(tokens.map((token, id) => [token, id])),
  merges: [],
  addedTokens: special,
  start: special[2],
  unknown: special[3],
  wholeWords: true,
})

const tokenizerConfig = {
  tokenizer_class: 'PreTrainedTokenizerFast',
  bos_token: '</s>',
  eos_token: '</s>',
  pad_token: '<pad>',
  unk_token: '<unk>',
  padding_side: 'left',
  clean_up_tokenization_spaces: true,
}

/** BlipImageProcessor as the published checkpoints have it, for the tiny encoder's size. */
const preprocessorConfig = (size: number) => ({
  image_processor_type: 'BlipImageProcessor',
  processor_class: 'Blip2Processor',
  do_convert_rgb: true,
  do_resize: true,
  size: { height: size, width: size },
  resample: 3,
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: true,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
})

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const weights = join(root, 'test', 'reference', 'hf-blip2-opt')
const demo = join(root, 'examples', 'demo')
const checkpoint = join(demo, 'tiny-blip2')

const config = JSON.parse(readFileSync(join(weights, 'config.json'), 'utf8'))
const { vocab_size, pad_token_id, bos_token_id, eos_token_id } = config.text_config
const named = [pad_token_id, bos_token_id, eos_token_id].map((id) => tokens[id]).join(' ')
if (new Set(tokens).size !== vocab_size || named !== '<pad> </s> Ċ') {
  throw new Error(`the vocabulary has ${tokens.length} tokens and ${named}, config.json needs ${vocab_size}`)
}

mkdirSync(checkpoint, { recursive: true })
writeFileSync(join(checkpoint, 'model.safetensors'), readFileSync(join(weights, 'model.safetensors')))
const files = {
  config,
  tokenizer,
  tokenizer_config: tokenizerConfig,
  preprocessor_config: preprocessorConfig(config.vision_config.image_size),
}
for (const [name, content] of Object.entries(files)) {
  writeFileSync(join(checkpoint, `${name}.json`), JSON.stringify(content, null, 2))
}
execFileSync('npx', ['biome', 'format', '--write', checkpoint], { cwd: root })
await sharp(join(demo, 'scene.svg')).removeAlpha().png({ compressionLevel: 9 }).toFile(join(demo, 'scene.png'))

mkdirSync(join(demo, 'scenes'), { recursive: true })
await Promise.all(demoScenes.map(({ file, scene }) => writePicture(join(demo, 'scenes', file), scene)))
writeFileSync(join(demo, 'scenes.txt'), demoScenes.map(({ text }) => `${text}\n`).join(''))
