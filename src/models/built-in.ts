/** The models that are part of this package, as data. `npm run scenes` makes them from nothing: drawn scenes are all that they have seen. */
import type { Preset } from './presets.ts'

export type ModelKind = Preset['kind']

export interface BuiltInModel {
  /** Also that of its folder in models/. */
  readonly name: 'scenes' | 'scenes-retrieval'
  readonly kind: ModelKind
  /** The published model that does the same with photos. */
  readonly forPhotos: string
  /** Tokens of its longest captions: scenes are described in full. Published models have a limit of 30. */
  readonly captionTokens?: number
}

/** Of weights, data and recipes: the package's own. */
export const builtInLicence = 'Apache-2.0'

/** The first one of a kind is what the commands use unless they are told otherwise. */
export const builtInModels: readonly BuiltInModel[] = [
  { name: 'scenes', kind: 'generation', forPhotos: 'Salesforce/blip2-opt-2.7b', captionTokens: 60 },
  { name: 'scenes-retrieval', kind: 'retrieval', forPhotos: 'Salesforce/blip2-itm-vit-g' },
]

/** The built-in model with exactly this name, or undefined. */
export function findBuiltIn(name: string): BuiltInModel | undefined {
  return builtInModels.find((model) => model.name === name)
}

export function builtInModel(kind: ModelKind): BuiltInModel {
  return builtInModels.find((model) => model.kind === kind) as BuiltInModel
}

/** What to know before a photo's answer is believed. */
export function photoNotice({ name, forPhotos }: BuiltInModel): string {
  return `${name} knows drawn scenes only, and this is another picture; for photos there is ${forPhotos}`
}
