/** A report for people. */
import { isRetrievalConfig, type OptConfig, type T5Config } from '../../models/config.ts'
import { bytes, count, shapeText, table } from '../format.ts'
import type { PresetObject } from '../preset.ts'
import type { Total } from './count.ts'
import type { Fit } from './fit.ts'
import type { Inspected, Report } from './report.ts'
import type { Config } from './subject.ts'

/** How many names of a kind are shown; --json has all. */
const mostNames = 8

export function reportText({ report, title, config }: Inspected, listTensors: boolean): string {
  const { source, preset, files, config_file, config_problem, name_problems, notes } = report
  const sections = [
    `${source}: ${title}`,
    partsTable(report, config ? described(config) : {}),
    [
      ...(preset ? presetLines(preset) : []),
      ...(report.kind === 'checkpoint' ? [dtypesText(report.dtypes), filesText(files)] : []),
      ...(report.fit ? [fitText(report.fit, config_file ?? 'what its shapes tell')] : some(name_problems)),
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
function described(config: Config): Record<string, string> {
  const { vision_config, qformer_config, num_query_tokens } = config
  const { num_hidden_layers, hidden_size, image_size, patch_size } = vision_config
  const tower = vision_config.model_type === 'clip_vision_model' ? 'CLIP, ' : ''
  const text = qformer_config.use_qformer_text_input ? `, ${count(qformer_config.vocab_size)} tokens` : ''
  return {
    'image encoder': `${tower}${blocks(num_hidden_layers, hidden_size)}, ${image_size} px in patches of ${patch_size}`,
    'Q-Former': blocks(qformer_config.num_hidden_layers, qformer_config.hidden_size) + text,
    'query tokens': `${num_query_tokens} of ${count(qformer_config.hidden_size)}`,
    ...(isRetrievalConfig(config)
      ? { comparison: `in ${count(config.image_text_hidden_size)} dimensions` }
      : { 'language model': languageModel(config.text_config) }),
  }
}

function languageModel(config: OptConfig | T5Config): string {
  const tokens = `${count(config.vocab_size)} tokens`
  return config.model_type === 'opt'
    ? `OPT, ${blocks(config.num_hidden_layers, config.hidden_size)}, ${tokens}`
    : `Flan-T5, ${config.num_layers} + ${blocks(config.num_decoder_layers, config.d_model)}, ${tokens}`
}

function blocks(layers: number, width: number): string {
  return `${layers} blocks, ${count(width)} wide`
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
