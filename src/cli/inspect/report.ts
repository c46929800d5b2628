/** What `inspect` found out, as data: the object that --json prints. Field names as in the other commands' results. */
import type { Checkpoint } from '../../checkpoints/safetensors.ts'
import type { Blip2Config } from '../../models/config.ts'
import type { GenerationPreset, RetrievalPreset } from '../../models/presets.ts'
import { count as inWords } from '../format.ts'
import { type PresetObject, presetObject } from '../preset.ts'
import { type Count, count, type Total } from './count.ts'
import { type Fit, fit } from './fit.ts'
import { canRun, type Format, formatOf } from './layouts.ts'
import { publishedNote } from './published.ts'
import type { ConfigFile, Subject } from './subject.ts'
import { type Listed, tensorsOf } from './tensors.ts'

export interface Report extends Total {
  readonly source: string
  readonly kind: Subject['kind']
  /** The published model, where the source is its name. */
  readonly preset: PresetObject | null
  readonly format: Format
  /** Whether `caption`, `vqa` and `chat` can use it, its tokenizer provided. */
  readonly runnable: boolean
  readonly parts: Readonly<Record<string, Total>>
  readonly dtypes: Readonly<Record<string, Total>>
  readonly files: readonly { readonly path: string; readonly bytes: number }[]
  /** The config.json beside it, and why it is none of BLIP-2. */
  readonly config_file: string | null
  readonly config_problem: string | null
  /** Null where there is nothing to compare. */
  readonly fit: Fit | null
  readonly notes: readonly string[]
  readonly tensors: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[]
}

export interface Inspected {
  readonly report: Report
  readonly config: Blip2Config | undefined
}

export function inspect(source: string, subject: Subject): Inspected {
  switch (subject.kind) {
    case 'checkpoint':
      return inspectCheckpoint(source, subject.checkpoint, subject.config)
    case 'configuration':
      return inspectConfig(source, 'configuration', subject.config, [])
    case 'preset':
      return subject.preset.kind === 'generation'
        ? inspectPreset(source, subject.preset)
        : inspectRetrieval(source, subject.preset)
  }
}

function inspectCheckpoint(source: string, checkpoint: Checkpoint, configFile: ConfigFile | undefined): Inspected {
  const tensors = [...checkpoint.tensors.values()]
  const format = formatOf(tensors)
  const counted = count(tensors)
  const config = configFile?.config
  const fitting = config ? fit(tensors, tensorsOf(config)) : null
  const notes = leftOutNotes(counted)
  if (!configFile)
    notes.push('no configuration to hold the tensors against: one shard of several, or no config.json beside it')
  if (format !== 'unknown' && !canRun(format)) notes.push('this layout cannot be run yet')
  return {
    config,
    report: {
      ...summary(source, 'checkpoint', format, counted, tensors),
      runnable: canRun(format) && fitting?.fits === true,
      files: checkpoint.files.map(({ path, size }) => ({ path, bytes: size })),
      config_file: configFile?.path ?? null,
      config_problem: configFile?.problem ?? null,
      fit: fitting,
      notes,
    },
  }
}

function inspectConfig(
  source: string,
  kind: Subject['kind'],
  config: Blip2Config,
  notes: readonly string[],
): Inspected {
  const tensors = tensorsOf(config)
  const counted = count(tensors)
  const report = summary(source, kind, formatOf(tensors), counted, tensors)
  const all = ['counted from the configuration; no weights were looked at', ...leftOutNotes(counted), ...notes]
  return { config, report: { ...report, notes: all } }
}

function inspectPreset(source: string, preset: GenerationPreset): Inspected {
  const published = publishedNote(preset)
  const { config, report } = inspectConfig(source, 'preset', preset.config, published === undefined ? [] : [published])
  return { config, report: { ...report, preset: presetObject(preset) } }
}

/** Its graph is not written yet, so there is nothing to count. */
function inspectRetrieval(source: string, preset: RetrievalPreset): Inspected {
  const { publishedParameters = 0, downloadBytes } = preset
  const nothing = count([])
  return {
    config: undefined,
    report: {
      ...summary(source, 'preset', 'huggingface-blip2-retrieval', nothing, []),
      preset: presetObject(preset),
      parameters: publishedParameters,
      bytes: downloadBytes,
      notes: [
        'image-text retrieval cannot be run yet; the parameters are the published count, the bytes those of the download',
      ],
    },
  }
}

function summary(
  source: string,
  kind: Subject['kind'],
  format: Format,
  counted: Count,
  tensors: readonly Listed[],
): Report {
  const { leftOut, ...totals } = counted
  return {
    source,
    kind,
    preset: null,
    format,
    runnable: canRun(format),
    ...totals,
    files: [],
    config_file: null,
    config_problem: null,
    fit: null,
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
