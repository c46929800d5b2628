/** An append-only file of predictions, one JSON object on each line: `{"id": 391895, "text": "a man riding a wave"}`. */
import { open, readFile, truncate } from 'node:fs/promises'
import { errorCode, fileError, writeError } from '../checkpoints/node-errors.ts'
import { DataError } from '../errors.ts'
import type { Id } from '../metrics/json.ts'
import type { Predictions } from './sample.ts'

export interface Prediction {
  readonly id: Id
  readonly text: string
}

export interface Journal {
  /** What was there when it was opened, with what was appended since. */
  readonly predictions: Predictions
  /** Resolves when they are on the disk. */
  append(batch: readonly Prediction[]): Promise<void>
  close(): Promise<void>
}

/**
 * Opens or makes the file. A last line that is not whole, as a kill leaves it, is cut off; DataError where any other line is no
 * prediction.
 */
export async function openJournal(path: string): Promise<Journal> {
  const predictions = await readJournal(path)
  const handle = await open(path, 'a').catch((error) => {
    throw fileError(error, path)
  })
  return {
    predictions,
    async append(batch) {
      const lines = batch.map(({ id, text }) => `${JSON.stringify({ id, text })}\n`).join('')
      try {
        await handle.appendFile(lines)
        await handle.datasync()
      } catch (error) {
        throw await writeError(error, path, Buffer.byteLength(lines))
      }
      for (const { id, text } of batch) predictions.set(id, text)
    },
    close: () => handle.close(),
  }
}

async function readJournal(path: string): Promise<Map<Id, string>> {
  const bytes = await readFile(path).catch((error) => {
    if (errorCode(error) === 'ENOENT') return Buffer.alloc(0)
    throw fileError(error, path)
  })
  const predictions = new Map<Id, string>()
  for (let line = 1, start = 0; start < bytes.length; line++) {
    const end = bytes.indexOf('\n', start)
    const found = end === -1 ? undefined : readPrediction(bytes.toString('utf8', start, end))
    if (found === undefined && end !== -1 && end < bytes.length - 1)
      throw new DataError(`${path}:${line}: no prediction; the file is damaged, --fresh begins the run again`)
    if (found === undefined) {
      await truncate(path, start)
      break
    }
    predictions.set(found.id, found.text)
    start = end + 1
  }
  return predictions
}

function readPrediction(line: string): Prediction | undefined {
  try {
    const { id, text } = JSON.parse(line)
    return (typeof id === 'string' || typeof id === 'number') && typeof text === 'string' ? { id, text } : undefined
  } catch {
    return undefined
  }
}
