import assert from 'node:assert/strict'
import { test } from 'node:test'
import { caption, fullCaption } from '../../scenes/captions.ts'
import { askAbout, questionKinds } from '../../scenes/questions.ts'
import { asked, drawText } from '../../scenes/texts.ts'
import { languageTokenizer, languageTokens, vocabTxt, wordsOfTheWorld } from '../../scenes/vocabulary.ts'
import { drawScene, type Scene } from '../../scenes/world.ts'
import { randomFor } from '../../src/random.ts'
import { bertTokenizer } from '../../src/tokenizers/bert.ts'
import { qformerTokenizer } from '../../src/tokenizers/qformer.ts'
import { createTokenizer } from '../../src/tokenizers/tokenizer.ts'
import { assertTrueOf } from './naive.ts'

function isTrueOf(scene: Scene, caption: string): boolean {
  try {
    assertTrueOf(scene, caption)
    return true
  } catch (error) {
    if (error instanceof assert.AssertionError) return false
    throw error
  }
}

/** Captions, questions and answers about scenes of all kinds, by other seeds than the vocabulary was made from. */
const texts = Array.from({ length: 800 }, (_, i) => {
  const scene = drawScene(31, i % 3 === 0 ? 'novel' : 'test', i)
  const random = randomFor(`text ${i}`)
  const questions = questionKinds.flatMap((kind) => askAbout(random, scene, kind) ?? [])
  return [
    caption(random, scene),
    fullCaption(random, scene),
    ...questions.map(({ question, answer }) => `${asked(question)} ${answer}`),
    ...questions.flatMap(({ question, answer }) => [question, answer]),
  ]
}).flat()

test('the words: a hundred or so, all of one kind', () => {
  const words = wordsOfTheWorld()
  assert.ok(words.length > 70 && words.length < 150, `${words.length}`)
  for (const word of words) assert.match(word, /^(?:[a-z]+|Question|Answer|[0-4]|[?:,.])$/)
  assert.deepEqual(wordsOfTheWorld(), words)
})

test("the Q-Former's tokenizer knows every word", () => {
  const bert = createTokenizer(bertTokenizer(vocabTxt(), {}), {})
  const unknown = bert.tokenId('[UNK]')
  const { encode, decode, decId } = qformerTokenizer(bert, bert.vocabSize)
  assert.equal(decId, 5)
  for (const text of texts) {
    const ids = encode(text, 64)
    assert.ok(unknown !== undefined && !ids.includes(unknown), text)
    assert.equal(decode(ids).replaceAll(' ', ''), text.toLowerCase().replaceAll(' ', ''))
  }
})

test("the language model's tokenizer knows every word, and gives every text back", () => {
  const { json, size } = languageTokenizer()
  const tokenizer = createTokenizer(json, {})
  assert.equal(tokenizer.vocabSize, size)
  const { bos, pad, newline } = languageTokens
  assert.deepEqual(
    ['</s>', '<pad>', '<unk>'].map((token) => tokenizer.tokenId(token)),
    [bos, pad, 3],
  )
  for (const text of [...texts, ...Array.from({ length: 500 }, (_, i) => drawText(41, i))]) {
    const ids = tokenizer.encode(`${text}\n`)
    assert.equal(ids[0], bos)
    assert.equal(ids.at(-1), newline)
    assert.ok(!ids.includes(3), text)
    assert.equal(tokenizer.decode(ids.slice(1)), `${text}\n`)
  }
})

test('texts for the language model: captions, and descriptions with questions, answers, a caption and the same once more behind them', () => {
  const some = Array.from({ length: 1000 }, (_, i) => drawText(41, i))
  assert.deepEqual(drawText(41, 5), some[5])
  const alone = some.filter((text) => !text.includes('\n'))
  assert.ok(Math.abs(alone.length / some.length - 0.1) < 0.04, `${alone.length}`)
  let both = 0
  for (const [i, text] of some.entries()) {
    const [description, ...lines] = text.split('\n') as [string, ...string[]]
    assert.match(description, /^[a-z, ]+$/)
    const told = lines.filter((line) => !/^Question: [a-z ]+\? Answer: [a-z0-4 ]+$/.test(line))
    assert.ok(told.length <= 2 && lines.length <= 8, text)
    both += told.length === 2 ? 1 : 0
    // The same phrases, each once; the other is a caption of the scene.
    const phrases = (line: string) => line.replace(/ on an? \w+ background$/, '').split(/, | and /)
    const others = told.filter((line) => String(phrases(line).sort()) !== String(phrases(description).sort()))
    assert.ok(others.length <= 1, text)
    const says = (scene: Scene) => [description, ...told].every((line) => isTrueOf(scene, line))
    assert.ok(says(drawScene(41, 'train', i)) || says(drawScene(41, 'novel', i)), text)
    assert.ok(text.split(/[ \n]|(?=[,.?:])/).length < 116, text)
  }
  assert.ok(both > 0.6 * some.length, `${both}`)
  const questions = some.map((text) => text.split('Question:').length - 1)
  assert.ok(questions.reduce((sum, count) => sum + count) / some.length > 4)
  assert.ok(new Set(some).size > 950)
})
