/** Texts about scenes that nobody draws: what the language model is made from. It learns to read a description and to answer about it. */
import { randomFor } from '../src/random.ts'
import { caption, fullCaption } from './captions.ts'
import { askAbout, questionKinds } from './questions.ts'
import { drawScene, pick } from './world.ts'

/** How a question is put to the language model (BLIP-2 paper, section 4.1). */
export function asked(question: string): string {
  return `Question: ${question} Answer:`
}

/** One text: a caption, or a full description with a question and its answer. */
export function drawText(seed: number, index: number): string {
  const random = randomFor(`text:${seed}:${index}`)
  // Held-out combinations may be read about: only pictures of them are kept back.
  const scene = drawScene(seed, random() < 0.1 ? 'novel' : 'train', index)
  if (random() < 0.35) return caption(random, scene)
  for (let attempt = 0; attempt < 20; attempt++) {
    const question = askAbout(random, scene, pick(random, questionKinds))
    if (question) return `${fullCaption(random, scene)}. ${asked(question.question)} ${question.answer}`
  }
  return fullCaption(random, scene)
}
