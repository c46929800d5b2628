import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Item } from '../../src/data/node-loader.ts'
import { type OptConfig, parseBlip2Config } from '../../src/models/config.ts'
import type { Tensor } from '../../src/runtime/device.ts'
import { loadTokenizer } from '../../src/tokenizers/node.ts'
import { qformerTokenizer } from '../../src/tokenizers/qformer.ts'
import type { TextTokenizer } from '../../src/tokenizers/tokenizer.ts'
import { pairFeeds, promptedFeeds, textFeeds } from '../../src/training/feeds.ts'
import { numbers } from '../support/tensors.ts'
import { configs, writeTinyData } from './tiny.ts'

const root = mkdtempSync(join(tmpdir(), 'blip2-feeds-'))
after(() => rmSync(root, { recursive: true }))

let [bert, opt, t5]: TextTokenizer[] = []
before(async () => {
  await writeTinyData(root)
  ;[bert, opt, t5] = await Promise.all(['bert', 'opt', 't5'].map((name) => loadTokenizer(join(root, name))))
})

const optConfig = parseBlip2Config(configs.opt, 'tiny')
const t5Config = parseBlip2Config(configs.t5, 'tiny')

const item = (text: string, question?: string, imageKey?: string): Item => ({
  number: 0,
  text,
  sample: {
    key: text,
    texts: [text],
    ...(question !== undefined && { question }),
    ...(imageKey !== undefined && { imageKey }),
  },
})

/** The columns of (tokens, batch) as texts, special tokens included; -100 as a dot. */
function columns(tensor: Tensor | undefined, tokenizer: TextTokenizer): string[] {
  const [tokens, batch] = tensor!.shape as [number, number]
  const ids = numbers(tensor)
  return Array.from({ length: batch }, (_, column) =>
    Array.from({ length: tokens }, (_, row) => ids[row * batch + column]!)
      .map((id) => (id === -100 ? '·' : tokenizer.decode([id]).replace('\n', '↵').trim()))
      .join(' '),
  )
}

test('OPT, captions: bos, the cleaned text and a line break; all of it is learnt, padding is not', () => {
  const feeds = promptedFeeds([item('A red square.'), item('a red red square')], opt!, optConfig, {
    maxTextLength: 16,
    prompt: '',
  })
  assert.deepEqual(columns(feeds.input_ids, opt!), ['</s> a red square ↵ <pad>', '</s> a red red square ↵'])
  assert.deepEqual(columns(feeds.labels, opt!), ['</s> a red square ↵ ·', '</s> a red red square ↵'])
})

test('OPT, behind a prompt or a question: what is read is not learnt', () => {
  const items = [item('red', 'what colour is it?'), item('a red square')]
  const feeds = promptedFeeds(items, opt!, optConfig, { maxTextLength: 16, prompt: 'a photo of' })
  assert.deepEqual(columns(feeds.input_ids, opt!), [
    '</s> Question : what colour is it ? Answer : red ↵',
    '</s> a photo of a red square ↵ <pad> <pad> <pad> <pad>',
  ])
  assert.deepEqual(columns(feeds.labels, opt!), ['· · · · · · · · · · red ↵', '· · · · a red square ↵ · · · ·'])
})

test('OPT, too long: of a question the beginning goes, of a text the end', () => {
  const options = { maxTextLength: 5, prompt: '' }
  const items = [
    item('red', 'what colour is it?'),
    item('a red red red red square'),
    item('red red red red red red', 'what?'),
  ]
  const feeds = promptedFeeds(items, opt!, optConfig, options)
  assert.deepEqual(columns(feeds.input_ids, opt!), [
    '</s> Answer : red ↵',
    '</s> a red red red',
    '</s> red red red red',
  ])
  assert.deepEqual(columns(feeds.labels, opt!), ['· · · red ↵', '</s> a red red red', '· red red red red'])
})

test('T5: the encoder reads the prompt, the decoder says the text', () => {
  const items = [item('red', 'what colour is it ?'), item('A red square!')]
  const feeds = promptedFeeds(items, t5!, t5Config, { maxTextLength: 16, prompt: '' })
  assert.deepEqual(columns(feeds.input_ids, t5!), [
    'Question : what colour is it ? Short answer : </s>',
    '</s> <pad> <pad> <pad> <pad> <pad> <pad> <pad> <pad> <pad> <pad>',
  ])
  assert.deepEqual(columns(feeds.labels, t5!), ['red </s> · ·', 'a red square </s>'])
})

test('a language model reads a text and a line break', () => {
  const { input_ids } = textFeeds([item('a red square'), item('red')], opt!, optConfig.text_config as OptConfig, {
    maxTextLength: 4,
    prompt: '',
  })
  assert.deepEqual(columns(input_ids, opt!), ['</s> a red square', '</s> red ↵ <pad>'])
})

test('pairs: cleaned texts, an id for each pair or for each image, negatives that belong to the batch', () => {
  const words = qformerTokenizer(bert!, 32)
  const items = [
    item('A red square.', undefined, 'one'),
    item('a square', undefined, 'two'),
    item('red', undefined, 'one'),
  ]
  const feeds = (key: string, sharedImages = false) =>
    pairFeeds(items, words, { maxTextLength: 4, prompt: '' }, { key, sharedImages })
  const first = feeds('1')
  assert.deepEqual(columns(first.input_ids, bert!), [
    '[CLS] a red [SEP]',
    '[CLS] a square [SEP]',
    '[CLS] red [SEP] [PAD]',
  ])
  assert.deepEqual(numbers(first.image_ids), [0, 1, 2])
  assert.deepEqual(numbers(feeds('1', true).image_ids), [0, 1, 0])
  assert.deepEqual(feeds('1'), first)
  assert.notDeepEqual(feeds('2')['gumbel.images'], first['gumbel.images'])
  assert.notDeepEqual(first['gumbel.images'], first['gumbel.texts'])
})

test('the noise that draws negatives has the distribution of Gumbel', () => {
  const words = qformerTokenizer(bert!, 32)
  const items = Array.from({ length: 64 }, (_, i) => item('red', undefined, String(i)))
  const feeds = pairFeeds(items, words, { maxTextLength: 4, prompt: '' }, { key: '1', sharedImages: false })
  const noise = numbers(feeds['gumbel.texts'])
  const mean = noise.reduce((a, b) => a + b) / noise.length
  const variance = noise.reduce((sum, x) => sum + (x - mean) ** 2, 0) / noise.length
  // Euler's constant and π²/6; 4096 draws are within 4 standard errors of them.
  assert.ok(Math.abs(mean - 0.5772) < 4 * (1.2825 / 64), `${mean}`)
  assert.ok(Math.abs(variance - 1.645) < 0.25, `${variance}`)
  assert.ok(noise.every(Number.isFinite))
})
