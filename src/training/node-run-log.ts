/** `log.jsonl` and `bad.jsonl` of a run: appended as it goes. */
import { open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode, fileError, writeError } from '../checkpoints/node-errors.ts'
import { writeAtomically, writeFully } from '../checkpoints/node-write.ts'
import { jsonLines, type LogLine, linesUpTo } from './log.ts'

export interface RunLog {
  /** All lines so far. */
  readonly lines: readonly LogLine[]
  append(line: LogLine): Promise<void>
  /** A sample that was left out. It is told once, however often it comes. */
  appendBad(key: string, reason: string): Promise<void>
}

interface BadSample {
  readonly key: string
  readonly reason: string
}

/** What `writeAtomically` leaves behind when it is killed. */
const draft = /^\.(log\.jsonl|bad\.jsonl|report\.html)\.[0-9a-f]+\.tmp$/

/** Goes on behind what was told up to `step`; what came after it will be told again. Throws CheckpointError. */
export async function openRunLog(folder: string, step: number): Promise<RunLog> {
  const path = join(folder, 'log.jsonl')
  const badPath = join(folder, 'bad.jsonl')
  for (const name of await readdir(folder)) if (draft.test(name)) await rm(join(folder, name), { force: true })
  const lines = linesUpTo((await textOf(path)) ?? '', step)
  await writeAtomically(path, lines.map(asLine))
  const badText = await textOf(badPath)
  const bad = jsonLines<BadSample>(badText ?? '')
  if (badText !== undefined) await writeAtomically(badPath, bad.map(asLine))
  const told = new Set(bad.map(({ key }) => key))
  return {
    lines,
    async append(line) {
      lines.push(line)
      await append(path, asLine(line))
    },
    async appendBad(key, reason) {
      if (told.has(key)) return
      told.add(key)
      await append(badPath, asLine({ key, reason }))
    },
  }
}

function asLine(value: object): string {
  return `${JSON.stringify(value)}\n`
}

/** On the disk when it returns, as the states are: a state never knows more than the log. */
async function append(path: string, line: string): Promise<void> {
  const bytes = Buffer.from(line)
  try {
    const handle = await open(path, 'a')
    try {
      await writeFully(handle, bytes)
      await handle.datasync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw await writeError(error, path, bytes.length)
  }
}

async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error) => {
    if (errorCode(error) === 'ENOENT') return undefined
    throw fileError(error, path)
  })
}
