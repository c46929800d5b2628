/** Logits to log-probabilities, as float32 PyTorch 1.13 gives them; the sum itself is done in double precision. */
import { SessionError } from '../errors.ts'

/** In place: row[i] - max - log Σ exp(row[j] - max). row: (vocabSize) logits, of which -Infinity is a banned token. */
export function logSoftmax(row: Float32Array): void {
  const normaliser = normaliserOf(row)
  for (let i = 0; i < row.length; i++) row[i] = logProbability(row[i]!, normaliser)
}

/** What turns the logits of one row into log-probabilities. */
export interface Normaliser {
  /** The largest logit. */
  readonly max: number
  /** log Σ exp(logit - max). Kept apart from `max`: subtracted one after the other, large logits cost no digits. */
  readonly logSum: number
}

/** Throws a SessionError if a logit is NaN or +Infinity, or if all are -Infinity. */
export function normaliserOf(row: Float32Array): Normaliser {
  const max = largest(row)
  const logSum = Math.fround(Math.log(sumExp(row, max)))
  if (Number.isFinite(max) && Number.isFinite(logSum)) return { max, logSum }
  throw new SessionError(
    'decoder: expected finite logits, found NaN, +Infinity or nothing but -Infinity;' +
      ' a damaged checkpoint or a half precision overflow? Try the model in float32',
  )
}

/** The log-probability of a token from its logit. */
export function logProbability(logit: number, { max, logSum }: Normaliser): number {
  return Math.fround(Math.fround(logit - max) - logSum)
}

/** The largest value of a row; -Infinity for an empty one. */
export function largest(row: Float32Array): number {
  let max = -Infinity
  for (let i = 0; i < row.length; i++) if (row[i]! > max) max = row[i]!
  return max
}

/** Σ exp(row[i] - max); NaN if any value is. */
export function sumExp(row: Float32Array, max: number): number {
  let sum = 0
  for (let i = 0; i < row.length; i++) sum += Math.exp(row[i]! - max)
  return sum
}
