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

/** What manifests of this kind begin with: folders of anything else are left alone. */
const kind = { made_by: 'blip2 test' }

/**
 * Opens the folder of a run, or makes it. DataError for a folder that holds another run, unless `fresh` says to begin it again, and
 * for one that holds anything else.
 */
export async function openRunFolder(path: string, identity: RunIdentity, fresh = false): Promise<RunFolder> {
  const manifest = join(path, manifestName)
  try {
    await mkdir(path, { recursive: true })
    const names = (await readdir(path)).filter((name) => !name.startsWith('.'))
    const known = names.includes(manifestName) ? parsed(await readFile(manifest, 'utf8')) : undefined
    const ours = known?.made_by === kind.made_by
    if (!ours && names.length > 0)
      throw new DataError(
        `${path}: expected an empty folder or one of \`blip2 test\`, found ${names.sort().slice(0, 3).join(', ')}; choose another --out`,
      )
    if (ours && !fresh) requireSame(path, known, { ...kind, ...identity })
    else {
      const all = [...keptNames, ...outputNames]
      if (ours) for (const name of all) await rm(join(path, name), { recursive: true, force: true })
      await writeAtomically(manifest, [`${JSON.stringify({ ...kind, ...identity }, null, 2)}\n`])
    }
  } catch (error) {
    throw errorCode(error) === undefined ? error : fileError(error, path)
  }
  return {
    kept: (name) => join(path, name),
    write: (name, content) => writeAtomically(join(path, name), [content]),
  }
}

/** An object in JSON, or undefined. */
function parsed(text: string): RunIdentity | undefined {
  try {
    const value = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

function requireSame(path: string, known: RunIdentity, identity: RunIdentity): void {
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
