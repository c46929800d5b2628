/** From the name of a model to where it lies. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type DownloadOptions, resolveModel } from '../checkpoints/node-hub.ts'
import { CheckpointError } from '../errors.ts'
import { findBuiltIn } from '../models/built-in.ts'
import { findPreset } from '../models/presets.ts'
import { packageFolder } from './node-package-folder.ts'

/**
 * A folder or file: of a built-in model by its name, which comes before a path (`./scenes` is a folder of one's own); a path as it is; a
 * published name or a repository of the hub after its download. Throws CheckpointError, or the signal's reason.
 */
export async function locateModel(source: string, options: DownloadOptions = {}): Promise<string> {
  return (
    builtInFolder(source) ?? resolveModel(source, { ...options, repositoryOf: (name) => findPreset(name)?.repository })
  )
}

/** Undefined for any other name. Throws CheckpointError where the package came without its models. */
export function builtInFolder(name: string): string | undefined {
  const model = findBuiltIn(name)
  if (model === undefined) return undefined
  const folder = join(packageFolder(), 'models', model.name)
  if (existsSync(join(folder, 'config.json'))) return folder
  throw new CheckpointError(
    `${folder}: not there, but ${name} is built in; install blip2 again (a bundler must copy models/)`,
  )
}
