/** A report for people. */
import type { Blip2Config } from '../../models/config.ts'
import { bytes, count, shapeText, table } from '../format.ts'
import type { PresetObject } from '../preset.ts'
import type { Total } from './count.ts'
import type { Fit } from './fit.ts'
import { titleOf } from './layouts.ts'
import type { Inspected, Report } from './report.ts'

/** How many names of a kind are shown; --json has all. */
const mostNames = 8

export function reportText({ report, config }: Inspected, listTensors: boolean): string {
  const { source, preset, format, files, config_file, config_problem, notes } = report
  const sections = [
    `${source}: ${titleOf(format)}`,
    partsTable(report, config ? described(config) : {}),
    [
      ...(preset ? presetLines(preset) : []),
      ...(report.kind === 'checkpoint' ? [dtypesText(report.dtypes), filesText(files)] : []),
      ...(report.fit ? [fitText(report.fit, config_file ?? '')] : []),
      ...(config_problem === null ? [] : [config_problem]),
      ...notes,
    ].join('\n'),
    ...(listTensors ? [tensorsText(report)] : []),
  ]
  return sections.join('\n\n')
}

function partsTable(report: Report, descriptions: Readonly<Record<string, string>>): string {
  const row = (name: string, total: Total) => [
    name,
    total.tensor_count === 0 ? '' : count(total.tensor_count),
    count(total.parameters),
    bytes(total.bytes),
    descriptions[name] ?? '',
  ]
  const parts = Object.entries(report.parts).map(([name, total]) => row(name, total))
  return table([['part', 'tensors', 'parameters', 'size', ''], ...parts, row('total', report)], [1, 2, 3])
}

/** The sizes that tell one model from another. */
function described({
  vision_config,
  qformer_config,
  text_config,
  num_query_tokens,
}: Blip2Config): Record<string, string> {
  const blocks = (layers: number, width: number) => `${layers} blocks, ${count(width)} wide`
  const opt = text_config.model_type === 'opt'
  return {
    'image encoder': `${blocks(vision_config.num_hidden_layers, vision_config.hidden_size)}, ${vision_config.image_size} px in patches of ${vision_config.patch_size}`,
    'Q-Former': blocks(qformer_config.num_hidden_layers, qformer_config.hidden_size),
    'query tokens': `${num_query_tokens} of ${count(qformer_config.hidden_size)}`,
    'language model': opt
      ? `OPT, ${blocks(text_config.num_hidden_layers, text_config.hidden_size)}, ${count(text_config.vocab_size)} tokens`
      : `Flan-T5, ${text_config.num_layers} + ${blocks(text_config.num_decoder_layers, text_config.d_model)}, ${count(text_config.vocab_size)} tokens`,
  }
}

function presetLines({ repository, download_bytes, aliases, licence }: PresetObject): string[] {
  return [
    `weights: ${repository}, ${bytes(download_bytes)} to download`,
    `licence: ${licence.weights}; language model: ${licence.language_model}`,
    ...(aliases.length > 0 ? [`other names: ${aliases.join(', ')}`] : []),
  ]
}

function dtypesText(dtypes: Report['dtypes']): string {
  const each = Object.entries(dtypes).map(
    ([dtype, total]) => `${dtype} in ${count(total.tensor_count)} ${total.tensor_count === 1 ? 'tensor' : 'tensors'}`,
  )
  return `types: ${each.join(', ')}`
}

function filesText(files: Report['files']): string {
  const total = files.reduce((sum, file) => sum + file.bytes, 0)
  const [only] = files
  return files.length === 1 && only
    ? `file: ${only.path}, ${bytes(total)}`
    : `files: ${files.length}, together ${bytes(total)}`
}

function fitText({ fits, missing, misshapen, mistyped, unused }: Fit, configFile: string): string {
  if (fits) return `fits ${configFile}: no tensor is missing, unused or of another shape`
  return [
    `does NOT fit ${configFile}:`,
    ...some(missing.map(({ name, shape }) => `  missing: ${name} ${shapeText(shape)}`)),
    ...some(
      misshapen.map(
        ({ name, shape, expected }) => `  shape: ${name} ${shapeText(shape)}, the model needs ${shapeText(expected)}`,
      ),
    ),
    ...some(mistyped.map(({ name, dtype }) => `  type: ${name} ${dtype}, expected F32, F16 or BF16`)),
    ...some(unused.map((name) => `  unused: ${name}`)),
  ].join('\n')
}

function some(lines: readonly string[]): readonly string[] {
  const more = lines.length - mostNames
  return more <= 0 ? lines : [...lines.slice(0, mostNames), `  and ${more} more of this kind; --json has all`]
}

function tensorsText({ tensors }: Report): string {
  return table(tensors.map(({ name, dtype, shape }) => [name, dtype, shapeText(shape)]))
}
