/**
 * The folder of a run. `manifest.json` says which run it is; what is computed is kept in `predictions.jsonl` (or `work`, for retrieval),
 * so that a run that was killed goes on where it stopped. Results and report are written beside them at the end.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode, fileError } from '../checkpoints/node-errors.ts'
import { writeAtomically } from '../checkpoints/node-write.ts'
import { DataError } from '../errors.ts'

/** What makes two runs the same one: what they computed may be mixed. Compared field by field, as JSON. */
export type RunIdentity = Readonly<Record<string, unknown>>

export interface RunFolder {
  /** The path of something that is kept between two runs. */
  kept(name: (typeof keptNames)[number]): string
  /** Writes results or a report, as a whole or not at all. */
  write(name: (typeof outputNames)[number], content: string): Promise<void>
}

const manifestName = 'manifest.json'
const keptNames = ['predictions.jsonl', 'work'] as const
const outputNames = ['results.json', 'report.json', 'report.html'] as const

/**
 * Opens the folder of a run, or makes it. DataError for a folder that holds another run, unless `fresh` says to begin it again, and
 * for one that holds anything else.
 */
export async function openRunFolder(path: string, identity: RunIdentity, fresh = false): Promise<RunFolder> {
  const manifest = join(path, manifestName)
  try {
    await mkdir(path, { recursive: true })
    const names = (await readdir(path)).filter((name) => !name.startsWith('.'))
    const begun = names.includes(manifestName)
    if (!begun && names.length > 0)
      throw new DataError(
        `${path}: expected an empty folder or one of \`blip2 test\`, found ${names[0]}; choose another --out`,
      )
    if (begun && !fresh) await requireSame(path, manifest, identity)
    else {
      const all = [...keptNames, ...outputNames]
      if (begun) for (const name of all) await rm(join(path, name), { recursive: true, force: true })
      await writeAtomically(manifest, [`${JSON.stringify(identity, null, 2)}\n`])
    }
  } catch (error) {
    throw errorCode(error) === undefined ? error : fileError(error, path)
  }
  return {
    kept: (name) => join(path, name),
    write: (name, content) => writeAtomically(join(path, name), [content]),
  }
}

async function requireSame(path: string, manifest: string, identity: RunIdentity): Promise<void> {
  let known: RunIdentity
  try {
    known = JSON.parse(await readFile(manifest, 'utf8'))
  } catch (cause) {
    throw new DataError(`${manifest}: cannot be read; --fresh begins the run again`, { cause })
  }
  const names = Object.keys({ ...known, ...identity })
  const different = names.filter((name) => json(known[name]) !== json(identity[name]))
  if (different.length === 0) return
  const lines = different.map((name) => `  ${name}: ${json(known[name])} there, ${json(identity[name])} now`)
  throw new DataError(
    [`${path}: holds another run; choose another --out, or --fresh to begin again`, ...lines].join('\n'),
  )
}

function json(value: unknown): string {
  return JSON.stringify(value) ?? 'nothing'
}
