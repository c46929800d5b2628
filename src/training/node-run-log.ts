/** `log.jsonl` and `bad.jsonl` of a run: appended as it goes. */
import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeError } from '../checkpoints/node-errors.ts'
import { writeAtomically } from '../checkpoints/node-write.ts'
import { type LogLine, linesUpTo } from './log.ts'

export interface RunLog {
  /** All lines so far. */
  readonly lines: readonly LogLine[]
  append(line: LogLine): Promise<void>
  /** A sample that was left out. */
  appendBad(key: string, reason: string): Promise<void>
}

/** Goes on behind what was told up to `step`; what came after it will be told again. */
export async function openRunLog(folder: string, step: number): Promise<RunLog> {
  const path = join(folder, 'log.jsonl')
  const text = await readFile(path, 'utf8').catch(() => '')
  const lines = linesUpTo(text, step)
  await writeAtomically(path, [lines.map((line) => `${JSON.stringify(line)}\n`).join('')])
  const add = async (file: string, value: object) => {
    const line = `${JSON.stringify(value)}\n`
    await appendFile(file, line).catch(async (error) => {
      throw await writeError(error, file, line.length)
    })
  }
  return {
    lines,
    async append(line) {
      lines.push(line)
      await add(path, line)
    },
    appendBad: (key, reason) => add(join(folder, 'bad.jsonl'), { key, reason }),
  }
}
