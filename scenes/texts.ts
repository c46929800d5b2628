/**
 * Texts about scenes that nobody draws: what the language model is made from. It learns to read a description and to go on from it: with another
 * description, with questions and their answers.
 */
import { randomFor } from '../src/random.ts'
import { caption, fullCaption } from './captions.ts'
import { askAbout, questionKinds } from './questions.ts'
import { drawScene, shuffled } from './world.ts'

/** How a question is put to the language model (BLIP-2 paper, section 4.1). */
export function asked(question: string): string {
  return `Question: ${question} Answer:`
}

/** Words and marks of a text, about: texts of one length waste nothing on padding. */
const length = 88

/**
 * One text: a caption, or a full description, others, and as many questions of different kinds as there is room for. Several sentences about one scene
 * are what makes a model look back at the first: with one question a text, a thousand steps taught it nothing but which answers are frequent.
 */
export function drawText(seed: number, index: number): string {
  const random = randomFor(`text:${seed}:${index}`)
  // Held-out combinations may be read about: only pictures of them are kept back.
  const scene = drawScene(seed, random() < 0.1 ? 'novel' : 'train', index)
  if (random() < 0.15) return caption(random, scene)
  const others = Array.from({ length: 1 + Math.floor(random() * 3) }, () => caption(random, scene))
  const kinds = shuffled(random, questionKinds)
  const questions = kinds.flatMap((kind) => askAbout(random, scene, kind) ?? [])
  const sentences = [...others, ...questions.map(({ question, answer }) => `${asked(question)} ${answer}`)]
  let text = fullCaption(random, scene)
  for (const sentence of sentences)
    if (wordsOf(text).length + wordsOf(sentence).length < length) text += `. ${sentence}`
  return text
}

/** Words and marks of punctuation, in their order. */
export function wordsOf(text: string): readonly string[] {
  return text.match(/\w+|[^\w\s]/g) ?? []
}
