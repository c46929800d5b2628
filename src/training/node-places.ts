/** Where everything is that a recipe names. All of it is looked for before anything is loaded. */
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { isBareName, isRepositoryName } from '../checkpoints/hub.ts'
import { missingTokenizerFiles } from '../checkpoints/node-cache.ts'
import { ConfigError } from '../errors.ts'
import { findPreset } from '../models/presets.ts'
import { type DataSpec, originsOf, type Recipe } from './recipe.ts'

export interface Places {
  /** Where paths of the data start. */
  readonly root: string
  /** Each a folder or file, or a name of the hub. */
  readonly from: readonly string[]
  /** A folder, or a name of the hub. */
  readonly tokenizer: string | undefined
  /** The same, of the questions that the Q-Former reads. */
  readonly qformerTokenizer: string | undefined
  /** A config.json. */
  readonly config: string | undefined
}

/**
 * Paths start at `folder`, the recipe's. Those of the model, which earlier runs may have written, are looked for in the current folder too.
 * Throws ConfigError with a line for each thing that is not there.
 */
export async function findPlaces(recipe: Recipe, folder: string): Promise<Places> {
  const { model, data } = recipe
  const problems: string[] = []

  async function find(field: string, path: string, isName: (path: string) => boolean): Promise<string> {
    const candidates = [...new Set([resolve(folder, path), resolve(path)])]
    for (const candidate of candidates) if (await exists(candidate)) return candidate
    if (!isName(path))
      problems.push(`${field}: ${candidates.join(' or ')}: no such file or folder, and no name of the hub`)
    return path
  }

  async function findTokenizer(field: string, path: string | undefined): Promise<string | undefined> {
    if (path === undefined) return undefined
    const found = await find(field, path, isTokenizerName)
    if ((await exists(found)) && (await missingTokenizerFiles(found)).length > 0)
      problems.push(`${field}: ${found}: no tokenizer.json, vocab.txt, or vocab.json with merges.txt in it`)
    return found
  }

  // One after the other, so that problems are told in the recipe's order.
  const from: string[] = []
  for (const [i, { checkpoint }] of originsOf(recipe).entries())
    from.push(await find(`model.from.${i}`, checkpoint, isModelName))
  const config = typeof model.config === 'string' ? await find('model.config', model.config, () => false) : undefined
  const tokenizer = await findTokenizer('model.tokenizer', model.tokenizer)
  const qformerTokenizer = await findTokenizer('model.qformer_tokenizer', model.qformer_tokenizer)

  const root = resolve(folder, data.root ?? '.')
  for (const [field, path] of [...filesOf('train', data.train), ...filesOf('validation', data.validation)])
    if (!(await exists(resolve(root, path)))) problems.push(`${field}: ${resolve(root, path)}: no such file or folder`)
  if (problems.length > 0) throw new ConfigError(problems.join('\n'))
  return { root, from, tokenizer, qformerTokenizer, config }
}

function isModelName(name: string): boolean {
  return findPreset(name) !== undefined || (isRepositoryName(name) && !/\.(safetensors|json|bin|pth?)$/.test(name))
}

function isTokenizerName(name: string): boolean {
  return isRepositoryName(name) || isBareName(name)
}

/** Fields of the recipe and what they name. Shards are looked for when their source is opened. */
function filesOf(part: string, specs: readonly DataSpec[]): [field: string, path: string][] {
  const names = ['annotations', 'questions', 'images', 'file'] as const
  return specs.flatMap((spec, i) =>
    names.flatMap((name): [string, string][] => {
      const path = (spec as { readonly [Name in (typeof names)[number]]?: string | undefined })[name]
      return path === undefined ? [] : [[`data.${part}.${i}.${name}`, path]]
    }),
  )
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
