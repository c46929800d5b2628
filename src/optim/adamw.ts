import { ConfigError } from '../errors.ts'
import type { Variable } from './variable.ts'

export interface AdamWOptions {
  readonly learningRate: number
  /** How slowly the two moments forget (BLIP-2 paper: 0.9 and 0.98; LAVIS as released: 0.9 and 0.999). */
  readonly betas: readonly [number, number]
  /** 1e-8 when absent. */
  readonly eps?: number
  /** Gradients are multiplied by it first: 1 / n makes the mean of n accumulated ones. 1 when absent. */
  readonly gradientScale?: number
  /** Largest norm of all gradients together; larger ones are shrunk to it (torch.nn.utils.clip_grad_norm_). No limit when absent. */
  readonly clipNorm?: number
}

/** A parameter with what the optimiser treats differently from one to the next. */
export interface Trained extends Variable {
  /** Share of itself that it loses in a step, times the learning rate. */
  readonly weightDecay: number
  /** Its own factor on the learning rate. */
  readonly rateFactor: number
}

export interface AdamWResult {
  /** Of all gradients together, scaled and not yet clipped. */
  readonly gradientNorm: number
  /** The first parameter whose gradient has a NaN or an infinite number. If there is one, nothing was changed. */
  readonly nonFinite?: string
}

/**
 * Step number `step` (the first is 1) of AdamW, as torch.optim.AdamW 1.13 takes it: decoupled decay, bias correction of both
 * moments, clipping by min(1, clipNorm / (norm + 1e-6)). Bit for bit the same on every machine.
 * @throws ConfigError when an option is not a number that makes sense; then nothing was changed.
 */
export function adamw(variables: ReadonlyMap<string, Trained>, step: number, options: AdamWOptions): AdamWResult {
  const { learningRate, betas, eps = 1e-8, gradientScale = 1, clipNorm = Number.POSITIVE_INFINITY } = options
  const [beta1, beta2] = betas
  check(
    'learningRate',
    learningRate,
    learningRate >= 0 && learningRate < Number.POSITIVE_INFINITY,
    'a number of at least 0',
  )
  for (const beta of betas) check('betas', beta, beta >= 0 && beta < 1, 'numbers from 0 to below 1')
  for (const [name, value] of Object.entries({ eps, gradientScale, clipNorm }))
    check(name, value, value > 0, 'a number above 0')

  let squares = 0
  for (const [name, variable] of variables) {
    const sum = variable.gradientSquares()
    if (!Number.isFinite(sum)) return { gradientNorm: Number.NaN, nonFinite: name }
    squares += sum
  }
  const gradientNorm = gradientScale * Math.sqrt(squares)
  const scale = gradientScale * Math.min(1, clipNorm / (gradientNorm + 1e-6))

  const unbias1 = 1 / (1 - beta1 ** step)
  const unbias2 = 1 / Math.sqrt(1 - beta2 ** step)
  for (const variable of variables.values()) {
    const rate = learningRate * variable.rateFactor
    const decay = rate * variable.weightDecay
    variable.adamw(scale, beta1, 1 - beta1, beta2, 1 - beta2, decay, rate * unbias1, unbias2, eps)
  }
  return { gradientNorm }
}

function check(name: string, value: number, good: boolean, expected: string): void {
  if (!good) throw new ConfigError(`AdamW: ${name}: expected ${expected}, found ${value}`)
}
