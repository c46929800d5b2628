/** Configurations by name: those of the package, and files of one's own. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { errorCode, fileError } from '../checkpoints/node-errors.ts'
import { ConfigError } from '../errors.ts'
import { packageFolder } from '../tasks/node-package-folder.ts'
import { type Benchmark, parseBenchmark } from './config.ts'

export interface FoundConfig {
  /** Of the file, without its ending. */
  readonly name: string
  readonly benchmark: Benchmark
  /** The row of the models that the name asked for, if it did. */
  readonly row?: string
  readonly sha256: string
}

/**
 * A configuration by the path of a .yaml file, by the name of one in `configs/`, by `name/model`, or by an alias of a published model.
 * ConfigError for an unknown name, which lists the known ones, and for a file that is wrong.
 */
export async function findConfig(name: string): Promise<FoundConfig> {
  if (/\.ya?ml$/i.test(name)) return readConfig(name)
  const folder = join(packageFolder(), 'configs')
  const known = (await readdir(folder)).filter((file) => file.endsWith('.yaml')).sort()
  const [file, row] = splitAtFirst(name)
  if (known.includes(`${file}.yaml`)) {
    const found = await readConfig(join(folder, `${file}.yaml`))
    return row === undefined ? found : { ...found, row }
  }
  const all = await Promise.all(known.map((one) => readConfig(join(folder, one))))
  const found = all.find(({ benchmark }) => benchmark.aliases.includes(name))
  if (found !== undefined) return { ...found, row: name }
  const names = all.flatMap((config) => [config.name, ...config.benchmark.aliases])
  throw new ConfigError(
    `${name}: there is no such configuration; there are ${names.join(', ')}, and the paths of .yaml files`,
  )
}

function splitAtFirst(name: string): [string, string?] {
  const slash = name.indexOf('/')
  return slash === -1 ? [name] : [name.slice(0, slash), name.slice(slash + 1)]
}

async function readConfig(path: string): Promise<FoundConfig> {
  const bytes = await readFile(path).catch((error) => {
    throw errorCode(error) === undefined ? error : new ConfigError(fileError(error, path).message, { cause: error })
  })
  return {
    name: basename(path).replace(/\.ya?ml$/i, ''),
    benchmark: parseBenchmark(bytes.toString('utf8'), path),
    sha256: createHash('sha256').update(bytes).digest('hex'),
  }
}
