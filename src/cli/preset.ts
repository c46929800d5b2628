import type { ModelKind } from '../models/built-in.ts'
import type { Preset } from '../models/presets.ts'

/** What takes a model of each kind. */
export const commandsOf: Readonly<Record<ModelKind, readonly string[]>> = {
  generation: ['caption', 'vqa', 'chat'],
  retrieval: ['match', 'features', 'retrieve'],
}

/** A published model as --json prints it. */
export function presetObject(preset: Preset): PresetObject {
  const { name, kind, aliases, repository, licence, downloadBytes, config } = preset
  return {
    name,
    kind,
    commands: commandsOf[kind],
    aliases,
    repository,
    download_bytes: downloadBytes,
    image_size: config.vision_config.image_size,
    licence: { weights: licence.weights, language_model: licence.languageModel },
  }
}

export interface PresetObject {
  readonly name: string
  readonly kind: ModelKind
  /** That take it. */
  readonly commands: readonly string[]
  readonly aliases: readonly string[]
  readonly repository: string
  readonly download_bytes: number
  /** Pixels. */
  readonly image_size: number
  readonly licence: { readonly weights: string; readonly language_model: string }
}

export function licenceText({ licence: { weights, languageModel } }: Preset): string {
  return languageModel === 'none' ? weights : `${weights}; the language model inside: ${languageModel}`
}
