import type { Command } from 'commander'
import { type Preset, presets } from '../models/presets.ts'
import { bytes, roughly, table } from './format.ts'
import { count } from './inspect/count.ts'
import { tensorsOf } from './inspect/tensors.ts'
import { createOutput } from './output.ts'
import { licenceText, presetObject } from './preset.ts'

export function addModels(program: Command): void {
  program
    .command('models')
    .description('List the published models: names, sizes, licences.')
    .helpGroup('Models:')
    .option('--json', 'one JSON object per line')
    .action(({ json = false }: { json?: boolean }) => {
      const output = createOutput(json)
      const rows = presets.map((preset) => ({ preset, parameters: parametersOf(preset) }))
      if (!json) return output.result({}, modelsText(rows))
      for (const { preset, parameters } of rows) output.result({ ...presetObject(preset), parameters }, '')
    })
}

interface Row {
  readonly preset: Preset
  readonly parameters: number
}

/** As `inspect` counts them. */
function parametersOf({ config }: Preset): number {
  return count(tensorsOf(config)).parameters
}

function modelsText(rows: readonly Row[]): string {
  const sizes = rows.map(({ preset, parameters }) => [
    preset.name,
    roughly(parameters),
    bytes(preset.downloadBytes),
    `${preset.config.vision_config.image_size} px`,
    presetObject(preset).commands.join(', '),
  ])
  const names = rows.flatMap(({ preset }) => preset.aliases.map((alias) => ['', alias, preset.name]))
  const licences = [...byLicence(rows)].flatMap(([terms, models]) => [
    `  ${terms}`,
    ...models.map((name) => `    ${name}`),
  ])
  return [
    table([['model', 'parameters', 'download', 'images', 'for'], ...sizes], [2]),
    `Other names:\n${table(names)}`,
    `Licences:\n${licences.join('\n')}`,
    'Any other BLIP-2 of the hub (org/name), a folder in the Hugging Face layout or a .safetensors file in one will do too.',
  ].join('\n\n')
}

/** Terms → the models that have them. */
function byLicence(rows: readonly Row[]): Map<string, string[]> {
  const models = new Map<string, string[]>()
  for (const { preset } of rows) {
    const terms = licenceText(preset)
    models.set(terms, [...(models.get(terms) ?? []), preset.name])
  }
  return models
}
