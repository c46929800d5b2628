/** The scenes of examples/demo, which no model was trained with, and a full caption of each, as a person might write it. */
import { fullCaption } from '../scenes/captions.ts'
import { drawScene } from '../scenes/world.ts'
import { randomFor } from '../src/random.ts'

const seed = 6

/** Different ones of the first dozen; they were chosen before there was a model that could have liked some of them. */
const chosen = [8, 3, 4, 5, 7, 10]

export const demoScenes = chosen.map((index, i) => {
  const scene = drawScene(seed, 'test', index)
  return { file: `${i + 1}.png`, scene, text: fullCaption(randomFor(`demo:${index}`), scene) }
})
