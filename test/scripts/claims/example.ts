/** Results as they could be: made up, round numbers. */
import type { Results } from '../../../scripts/claims/results.ts'

const recalls = (r1: number) => ({ txt_r1: r1, txt_r5: r1 + 20, img_r1: r1 - 2, img_r5: r1 + 18 })

export const example: Required<Results> = {
  figure5: {
    steps: 400,
    batch: 64,
    stage1_steps: 2000,
    stage1_batch: 64,
    questions: 1000,
    blind: 41.5,
    with: [
      { step: 200, accuracy: 52, loss: 1.5 },
      { step: 400, accuracy: 70, loss: 1.2 },
    ],
    without: [
      { step: 200, accuracy: 40, loss: 1.8 },
      { step: 400, accuracy: 50, loss: 1.625 },
    ],
  },
  table6: {
    steps: 250,
    batch: 64,
    images: 300,
    runs: [
      { losses: ['itc', 'itm'], ...recalls(42) },
      { losses: ['itc', 'itm', 'itg'], ...recalls(45.5) },
    ],
  },
  queries: {
    stage1_steps: 250,
    stage1_batch: 64,
    stage2_steps: 400,
    stage2_batch: 48,
    images: 300,
    questions: 1000,
    blind: 41.5,
    runs: [
      { queries: 4, accuracy: 60, loss: 1.5, ...recalls(30) },
      { queries: 16, accuracy: 50, loss: 1.625, ...recalls(40) },
    ],
  },
}
