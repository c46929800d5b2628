import { DataError } from '../errors.ts'
import type { Answer, Blip2 } from '../tasks/blip2.ts'
import { addTimes, type TimingMs } from '../tasks/timing.ts'
import type { Output } from './output.ts'
import type { EncodedPhoto } from './photos.ts'

/**
 * Prints answers to questions about one image. The first one's times have those of the image added. A question that the model
 * cannot take (too long) is printed as a failure; other errors are thrown.
 */
export function answerPrinter(
  output: Output,
  model: Blip2,
  { image, timing_ms: imageTime }: EncodedPhoto,
  text: (answer: Answer) => string,
): (question: string, ask: () => Promise<Answer>) => Promise<void> {
  let before: TimingMs | undefined = imageTime
  return async (question, ask) => {
    try {
      const answer = await ask()
      const timing_ms = before ? addTimes(before, answer.timing_ms) : answer.timing_ms
      before = undefined
      const { pred_answer } = answer
      output.result({ image, question, pred_answer, model: model.name, timing_ms }, text(answer))
    } catch (error) {
      if (!(error instanceof DataError)) throw error
      output.failure(error, { image, question })
    }
  }
}
