/** What is to be run: a benchmark, and of it one split, one preset, one model. */
import { ConfigError } from '../errors.ts'
import { findPreset } from '../models/presets.ts'
import type { Benchmark, ModelRow } from './config.ts'

/** What the user asked for; the configuration has the rest. */
export interface Choice {
  /** A row of the table of models. */
  readonly row?: string | undefined
  /** What to load: a name, a folder or a file. */
  readonly checkpoint?: string | undefined
  readonly split?: string | undefined
  readonly preset?: string | undefined
}

export interface Plan {
  readonly split: string
  readonly preset: string
  /** What to load. */
  readonly source: string
  /** Whose published numbers stand beside the measured ones; undefined for a checkpoint that the table does not have. */
  readonly row: (ModelRow & { readonly name: string }) | undefined
}

/** Throws ConfigError for a name that the configuration does not have. */
export function makePlan(benchmark: Benchmark, choice: Choice): Plan {
  const { models } = benchmark
  const asked = choice.row ?? choice.checkpoint
  const found = asked === undefined ? benchmark.model : rowOf(models, asked)
  if (choice.row !== undefined && found === undefined) throw unknown('model', choice.row, models)
  const row = found === undefined ? undefined : models[found]
  const split = choice.split ?? row?.split ?? benchmark.split
  const preset = choice.preset ?? row?.preset ?? benchmark.preset
  if (!Object.hasOwn(benchmark.splits, split)) throw unknown('split', split, benchmark.splits)
  if (!Object.hasOwn(benchmark.presets, preset)) throw unknown('preset', preset, benchmark.presets)
  return {
    split,
    preset,
    source: choice.checkpoint ?? found!,
    row: row && { ...row, name: found! },
  }
}

/** The row of this name, or of another name of the same published model. */
function rowOf(models: Benchmark['models'], name: string): string | undefined {
  if (Object.hasOwn(models, name)) return name
  const preset = findPreset(name)
  return preset && Object.keys(models).find((row) => findPreset(row) === preset)
}

function unknown(what: string, found: string, table: object): ConfigError {
  return new ConfigError(`${what} ${found}: this configuration has ${Object.keys(table).join(', ')}`)
}
