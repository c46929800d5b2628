/** Results to standard output, everything else to standard error. */
import { message } from './message.ts'
import { createProgress, type Progress } from './progress.ts'

export interface Output extends Progress {
  /** A result: one JSON object on a line with --json, else text. */
  result(json: object, text: string): void
  /**
   * What the command could not do, while it goes on with the rest; the exit code will be 1. With --json each input that has
   * no result because of it (`inputs`) gets a line with `error` in place of the result.
   */
  failure(error: unknown, ...inputs: object[]): void
  /** Something that a person should know. */
  note(text: string): void
}

export function createOutput(json = false): Output {
  const progress = createProgress(process.stderr)
  const write = (stream: NodeJS.WriteStream, text: string) => {
    progress.clear()
    stream.write(`${text}\n`)
  }
  return {
    ...progress,
    result: (object, text) => write(process.stdout, json ? JSON.stringify(object) : text),
    failure(error, ...inputs) {
      process.exitCode = 1
      write(process.stderr, `error: ${message(error)}`)
      if (!json) return
      for (const input of inputs) write(process.stdout, JSON.stringify({ ...input, error: message(error) }))
    },
    note: (text) => write(process.stderr, `note: ${text}`),
  }
}
