import type { Command } from 'commander'
import { type BuiltInModel, builtInLicence, builtInModels } from '../models/built-in.ts'
import type { Blip2Config, RetrievalConfig } from '../models/config.ts'
import { type Preset, presets } from '../models/presets.ts'
import { type BuiltInFiles, builtInObject, readBuiltIn } from './built-in.ts'
import { bytes, roughly, table } from './format.ts'
import { count } from './inspect/count.ts'
import { tensorsOf } from './inspect/tensors.ts'
import { createOutput } from './output.ts'
import { commandsOf, licenceText, presetObject } from './preset.ts'

export function addModels(program: Command): void {
  program
    .command('models')
    .description('List the built-in and the published models: names, sizes, licences.')
    .helpGroup('Models:')
    .option('--json', 'one JSON object per line')
    .action(async ({ json = false }: { json?: boolean }) => {
      const output = createOutput(json)
      const builtIn = await Promise.all(
        builtInModels.map(async (model) => ({ model, files: await readBuiltIn(model) })),
      )
      if (!json) return output.result({}, modelsText(builtIn))
      for (const { model, files } of builtIn)
        output.result({ ...builtInObject(model, files), built_in: true, parameters: parametersOf(files.config) }, '')
      for (const preset of presets)
        output.result({ ...presetObject(preset), built_in: false, parameters: parametersOf(preset.config) }, '')
    })
}

interface BuiltIn {
  readonly model: BuiltInModel
  readonly files: BuiltInFiles
}

/** As `inspect` counts them. */
function parametersOf(config: Blip2Config | RetrievalConfig): number {
  return count(tensorsOf(config)).parameters
}

function modelsText(builtIn: readonly BuiltIn[]): string {
  const row = (
    { name, kind }: Pick<Preset, 'name' | 'kind'>,
    config: Blip2Config | RetrievalConfig,
    size: number,
    where: string,
  ) => [
    name,
    roughly(parametersOf(config)),
    bytes(size),
    where,
    `${config.vision_config.image_size} px`,
    commandsOf[kind].join(', '),
  ]
  const rows = [
    ...builtIn.map(({ model, files }) => row(model, files.config, files.bytes, 'built in')),
    ...presets.map((preset) => row(preset, preset.config, preset.downloadBytes, 'download')),
  ]
  const names = presets.flatMap(({ name, aliases }) => aliases.map((alias) => ['', alias, name]))
  const licences = [...byLicence()].flatMap(([terms, models]) => [`  ${terms}`, ...models.map((name) => `    ${name}`)])
  return [
    table([['model', 'parameters', 'size', '', 'images', 'for'], ...rows], [2]),
    'The built-in models know drawn scenes only; they are used where no other is named. Photos need one of the others.',
    `Other names:\n${table(names)}`,
    `Licences:\n${licences.join('\n')}`,
    'Any other BLIP-2 of the hub (org/name), a folder in the Hugging Face layout or a .safetensors file in one will do too.',
  ].join('\n\n')
}

/** Terms → the models that have them. */
function byLicence(): Map<string, string[]> {
  const models = new Map([[`${builtInLicence}, as this package`, builtInModels.map(({ name }): string => name)]])
  for (const preset of presets) {
    const terms = licenceText(preset)
    models.set(terms, [...(models.get(terms) ?? []), preset.name])
  }
  return models
}
