/**
 * Texts about scenes that nobody draws: what the language model is made from. It learns to read a description and to go on from it: with
 * questions and their answers, with the same told once more.
 */
import { randomFor } from '../src/random.ts'
import { caption, fullCaptionOf, phrasesOf } from './captions.ts'
import { askAbout, type QuestionKind, questionKinds } from './questions.ts'
import { joined } from './words.ts'
import { drawScene, shuffled } from './world.ts'

/** How a question is put to the language model (BLIP-2 paper, section 4.1). */
export function asked(question: string): string {
  return `Question: ${question} Answer:`
}

/** Words and marks of a text, at most, so that it fits the language model with its line breaks. */
const length = 116

/** What is asked more often, as it takes longest to learn. */
const hard: readonly QuestionKind[] = ['relation', 'relation', 'where']

/**
 * One text: a caption; or, a line each, a full description, what is asked about it, and in between a caption and the same phrases in another order. These
 * are what makes a small model look back from a word to the words beside it in the description: with questions alone it learns that late. A line
 * break ends whatever is said, as in the second stage.
 */
export function drawText(seed: number, index: number): string {
  const random = randomFor(`text:${seed}:${index}`)
  // Held-out combinations may be read about: only pictures of them are kept back.
  const scene = drawScene(seed, random() < 0.1 ? 'novel' : 'train', index)
  if (random() < 0.1) return caption(random, scene)
  const phrases = phrasesOf(random, scene)
  const kinds = shuffled(random, [...questionKinds, ...questionKinds, ...hard])
  const answered = kinds.flatMap((kind) => {
    const found = askAbout(random, scene, kind)
    return found ? [`${asked(found.question)} ${found.answer}`] : []
  })
  const again = [joined(shuffled(random, phrases)), caption(random, scene)]
  let text = fullCaptionOf(phrases, scene)
  for (const line of shuffled(random, [...again, ...[...new Set(answered)].slice(0, 6)]))
    if (wordsOf(text).length + wordsOf(line).length < length) text += `\n${line}`
  return text
}

/** Words and marks of punctuation, in their order. */
export function wordsOf(text: string): readonly string[] {
  return text.match(/\w+|[^\w\s]/g) ?? []
}
