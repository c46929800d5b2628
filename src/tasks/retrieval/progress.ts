/** The long steps, in the order of the computation. `matching` counts pairs, the others images or texts. */
export type RetrievalStep = 'images' | 'texts' | 'similarity' | 'matching'

export interface RetrievalProgress {
  readonly step: RetrievalStep
  readonly done: number
  readonly total: number
  /** At the pace of this run; undefined until something has been done in it. */
  readonly secondsLeft?: number
}

/** A function to be told how much of a step is done, the first time before anything of this run is. */
export function stepProgress(
  step: RetrievalStep,
  total: number,
  tell: (progress: RetrievalProgress) => void,
): (done: number) => void {
  const begin = performance.now()
  let doneBefore: number | undefined
  return (done) => {
    doneBefore ??= done
    const seconds = (performance.now() - begin) / 1000
    const doneNow = done - doneBefore
    tell({ step, done, total, ...(doneNow > 0 && { secondsLeft: (seconds / doneNow) * (total - done) }) })
  }
}
