/** What `inspect` found out, as data: the object that --json prints. Field names as in the other commands' results. */
import type { Checkpoint } from '../../checkpoints/safetensors.ts'
import { type Format, type Layout, layoutOf } from '../../models/names/layouts.ts'
import type { Preset } from '../../models/presets.ts'
import { count as inWords } from '../format.ts'
import { type PresetObject, presetObject } from '../preset.ts'
import { type Count, count, type Total } from './count.ts'
import { type Fit, fit } from './fit.ts'
import { publishedNote } from './published.ts'
import type { Config, FoundConfig, Subject } from './subject.ts'
import { type Listed, tensorsOf } from './tensors.ts'

export interface Report extends Total {
  readonly source: string
  readonly kind: Subject['kind']
  /** The published model, where the source is its name. */
  readonly preset: PresetObject | null
  readonly format: Format
  /** Whether the commands can use it as it is, its tokenizer provided. */
  readonly runnable: boolean
  readonly parts: Readonly<Record<string, Total>>
  readonly dtypes: Readonly<Record<string, Total>>
  readonly files: readonly { readonly path: string; readonly bytes: number }[]
  /** The config.json beside it, and why it is none of BLIP-2. */
  readonly config_file: string | null
  readonly config_problem: string | null
  /** Null where there is nothing to compare. */
  readonly fit: Fit | null
  /** Names that are none of this layout, or cannot be used. */
  readonly name_problems: readonly string[]
  readonly notes: readonly string[]
  readonly tensors: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[]
}

export interface Inspected {
  readonly report: Report
  /** The layout in words. */
  readonly title: string
  readonly config: Config | undefined
}

export function inspect(source: string, subject: Subject): Inspected {
  switch (subject.kind) {
    case 'checkpoint':
      return inspectCheckpoint(source, subject.checkpoint, subject.config)
    case 'configuration':
      return inspectConfig(source, 'configuration', subject.config, [])
    case 'preset':
      return inspectPreset(source, subject.preset)
  }
}

function inspectCheckpoint(source: string, checkpoint: Checkpoint, found: FoundConfig | undefined): Inspected {
  const tensors = [...checkpoint.tensors.values()]
  const layout = layoutOf(tensors.map(({ name }) => name))
  const counted = count(tensors, layout)
  const fitting = found?.config ? fit(tensors, layout.recognised, found.config) : null
  return {
    title: layout.title,
    config: found?.config,
    report: {
      ...summary(source, 'checkpoint', layout, counted, tensors),
      runnable: fitting?.fits === true && fitting.lacks.length === 0,
      files: checkpoint.files.map(({ path, size }) => ({ path, bytes: size })),
      config_file: found?.path ?? null,
      config_problem: found?.path === undefined ? null : (found.problem ?? null),
      fit: fitting,
      name_problems: layout.recognised?.problems.map(({ text }) => text) ?? [],
      notes: [...leftOutNotes(counted), ...configNotes(found), ...lackNotes(fitting)],
    },
  }
}

function inspectConfig(source: string, kind: Subject['kind'], config: Config, notes: readonly string[]): Inspected {
  const tensors = tensorsOf(config)
  const layout = layoutOf(tensors.map(({ name }) => name))
  const counted = count(tensors, layout)
  const all = ['counted from the configuration; no weights were looked at', ...leftOutNotes(counted), ...notes]
  return { title: layout.title, config, report: { ...summary(source, kind, layout, counted, tensors), notes: all } }
}

function inspectPreset(source: string, preset: Preset): Inspected {
  const published = publishedNote(preset)
  const inspected = inspectConfig(source, 'preset', preset.config, published === undefined ? [] : [published])
  return { ...inspected, report: { ...inspected.report, preset: presetObject(preset) } }
}

function summary(
  source: string,
  kind: Subject['kind'],
  { format }: Layout,
  counted: Count,
  tensors: readonly Listed[],
): Report {
  const { leftOut, ...totals } = counted
  return {
    source,
    kind,
    preset: null,
    format,
    runnable: true,
    ...totals,
    files: [],
    config_file: null,
    config_problem: null,
    fit: null,
    name_problems: [],
    notes: [],
    tensors: tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
  }
}

function leftOutNotes({ parameters, leftOut }: Count): string[] {
  const notes: string[] = []
  const { keyBiases, tiedCopies, integers } = leftOut
  if (keyBiases > 0)
    notes.push(
      `not counted: ${inWords(keyBiases)} biases of the image encoder's attention keys, which the Hugging Face layout stores as ` +
        `zeros and the original does not have (${inWords(parameters + keyBiases)} with them)`,
    )
  if (tiedCopies > 0)
    notes.push(`not counted: ${inWords(tiedCopies)} values of a tied tensor that is stored a second time`)
  if (integers > 0) notes.push(`not counted: ${inWords(integers)} integers (tables of positions)`)
  return notes
}

function configNotes(found: FoundConfig | undefined): string[] {
  const nothing = 'no configuration to hold the tensors against'
  if (!found) return [`${nothing}: one shard of several, or no config.json beside it`]
  return found.path === undefined && found.problem !== undefined ? [`${nothing}: ${found.problem}`] : []
}

function lackNotes(fitting: Fit | null): string[] {
  if (!fitting || fitting.lacks.length === 0) return []
  const options = fitting.lacks.map((part) => `--${part.replace(' ', '-')}`)
  return [`not in it: ${fitting.lacks.join(' and ')}; to run it, name where they are: ${options.join(', ')}`]
}
