/** What a run tells about itself: one JSON object a line in `log.jsonl`. */

/** Means over the steps since the line before. */
export interface StepLine {
  readonly kind: 'step'
  readonly step: number
  readonly loss: number
  /** loss_itc, loss_itm, loss_itg, … */
  readonly parts: Readonly<Record<string, number>>
  readonly learning_rate: number
  readonly gradient_norm: number
  readonly samples_per_second: number
  /** Share of the time in which the computation waited for data. */
  readonly waiting: number
  /** Bytes of the whole process. */
  readonly memory: number
  /** Seconds since the run began, without the time between a stop and its resumption. */
  readonly seconds: number
}

export interface ValidationLine {
  readonly kind: 'validation'
  readonly step: number
  readonly loss: number
  readonly parts: Readonly<Record<string, number>>
  readonly examples: readonly Example[]
}

/** What the model says of a picture that it is not trained on. */
export interface Example {
  /** data: URL of a small picture. */
  readonly picture: string
  readonly question?: string
  readonly said: string
  readonly reference: string
}

export type LogLine = StepLine | ValidationLine

/** The lines up to a step: what a run that goes on from there has told. A last line that was cut short is left out. */
export function linesUpTo(text: string, step: number): LogLine[] {
  return jsonLines<LogLine>(text).filter((line) => line.step <= step)
}

/** One object a line, up to the first that is none: a killed process leaves half a line at the end. */
export function jsonLines<T>(text: string): T[] {
  const lines: T[] = []
  for (const line of text.split('\n')) {
    if (line === '') continue
    try {
      lines.push(JSON.parse(line) as T)
    } catch {
      break
    }
  }
  return lines
}
