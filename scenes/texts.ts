/**
 * Texts about scenes that nobody draws: what the language model is made from. It learns to read a description and to go on from it: with another
 * description, with questions and their answers.
 */
import { randomFor } from '../src/random.ts'
import { caption, fullCaption } from './captions.ts'
import { askAbout, questionKinds } from './questions.ts'
import { drawScene, type Scene, shuffled } from './world.ts'

/** How a question is put to the language model (BLIP-2 paper, section 4.1). */
export function asked(question: string): string {
  return `Question: ${question} Answer:`
}

/**
 * One text: a caption, or a full description and what follows from it. Several sentences about one scene are what makes a model look back at the
 * first: with one question a text, a thousand steps taught it nothing but which answers are frequent.
 */
export function drawText(seed: number, index: number): string {
  const random = randomFor(`text:${seed}:${index}`)
  // Held-out combinations may be read about: only pictures of them are kept back.
  const scene = drawScene(seed, random() < 0.1 ? 'novel' : 'train', index)
  if (random() < 0.2) return caption(random, scene)
  const sentences = [fullCaption(random, scene)]
  if (random() < 0.4) sentences.push(caption(random, scene))
  return [...sentences, ...conversation(random, scene)].join('. ')
}

/** Up to four questions of different kinds with their answers. */
function conversation(random: () => number, scene: Scene): string[] {
  const most = 1 + Math.floor(random() * 4)
  const kinds = shuffled(random, questionKinds)
  const questions = kinds.flatMap((kind) => askAbout(random, scene, kind) ?? [])
  return questions.slice(0, most).map(({ question, answer }) => `${asked(question)} ${answer}`)
}
