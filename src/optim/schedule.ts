/** Learning rates by step. Steps and epochs count from 0. */
interface WarmUp {
  /** Rate when the warm-up is over. */
  readonly peak: number
  /** Rate at the end. */
  readonly min: number
  /** Steps of linear warm-up from `warmupStart` to `peak`. */
  readonly warmupSteps: number
  readonly warmupStart: number
}

/** The paper's: linear warm-up, then a cosine from `peak` to `min` over the steps that are left, moving with every step. */
export interface CosineSchedule extends WarmUp {
  readonly kind: 'cosine'
  /** Of the whole training, warm-up included. */
  readonly steps: number
}

/**
 * `linear_warmup_cosine_lr` of LAVIS 506965b (common/optims.py), as released: the warm-up lies inside the first epoch, which stays at
 * `peak` after it; each later epoch has one rate, from a cosine over the epochs, those of the warm-up counted. A warm-up longer
 * than an epoch is cut off.
 */
export interface LavisSchedule extends WarmUp {
  readonly kind: 'lavis'
  readonly stepsPerEpoch: number
  readonly epochs: number
}

export type Schedule = CosineSchedule | LavisSchedule

export function learningRate(schedule: Schedule, step: number): number {
  const { peak, min, warmupSteps } = schedule
  switch (schedule.kind) {
    case 'cosine':
      if (step < warmupSteps) return warmUp(schedule, step)
      return cosine(peak, min, (step - warmupSteps) / Math.max(1, schedule.steps - warmupSteps))
    case 'lavis': {
      const epoch = Math.floor(step / schedule.stepsPerEpoch)
      return epoch === 0 ? warmUp(schedule, step) : cosine(peak, min, epoch / schedule.epochs)
    }
  }
}

function warmUp({ peak, warmupSteps, warmupStart }: WarmUp, step: number): number {
  return Math.min(peak, warmupStart + ((peak - warmupStart) * step) / Math.max(warmupSteps, 1))
}

function cosine(peak: number, min: number, progress: number): number {
  return (peak - min) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress))) + min
}
