/** A checkpoint of one naming, with the parts that it lacks, → a folder of safetensors in another. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { StoredTensor } from '../../checkpoints/safetensors.ts'
import { CheckpointError, ConfigError } from '../../errors.ts'
import { isRetrievalConfig, parseConfig } from '../../models/config.ts'
import { isBuffer, namingTitles, unnamedIn } from '../../models/names/names.ts'
import { takes } from '../../models/names/parts.ts'
import { type Naming, tiedTensors } from '../../models/names/table.ts'
import {
  addParts,
  configJson,
  openMain,
  type Part,
  type Parts,
  partList,
  type SourceOptions,
  tokenizerFolder,
} from '../../tasks/node-parts.ts'
import { type MustBeZero, makePlan, type Source, sourceOf } from './plan.ts'
import { createSpanReader, type SpanReader } from './spans.ts'
import { checkEmpty, writeFolder } from './write.ts'

export interface ConvertOptions extends SourceOptions {
  readonly to: Naming
  /** Largest number of bytes in one file of weights. */
  readonly shardBytes: number
  readonly onBytes: (done: number, total: number) => void
  readonly signal: AbortSignal
}

export interface Converted {
  readonly from: Naming
  readonly to: Naming
  readonly tensors: number
  readonly bytes: number
  /** Names inside the folder. */
  readonly files: readonly string[]
  /** Canonical names of further copies of tied tensors, which are not written. */
  readonly copiesLeftOut: readonly string[]
  /** Canonical names that the other naming has none for. */
  readonly unnamed: readonly string[]
  /** Why there is no config.json. */
  readonly configProblem: string | undefined
}

/** Writes the folder `out`, which must be empty or not there. Throws CheckpointError, ConfigError, or the signal's reason. */
export async function convert(source: string, out: string, options: ConvertOptions): Promise<Converted> {
  const { to, signal } = options
  await checkEmpty(out)
  const main = await openMain(source, options)
  const parts = await addParts(main, options)
  const { config, problem } = configOf(parts, to)
  const all = tensorsOf(parts)
  const reader = createSpanReader(signal)
  try {
    const copies = await tiedCopies(all, reader)
    const kept = new Map([...all].filter(([name]) => !copies.includes(name)))
    const languageModel = languageModelOf(parts, [...all.keys()])
    const plan = makePlan(kept, to, languageModel)
    for (const zero of plan.zeros) await checkZero(zero, to, reader)
    const bytes = plan.tensors.reduce((sum, { length }) => sum + length, 0)
    let done = 0
    const files = await writeFolder(
      out,
      {
        tensors: plan.tensors,
        // transformers reads files of this format only. The other entry names what a projection alone does not tell.
        metadata: { format: 'pt', ...(languageModel && { language_model: languageModel }) },
        shardBytes: options.shardBytes,
        config,
        copied: await filesBeside(parts, options),
      },
      reader,
      (more) => {
        done += more
        options.onBytes(done, bytes)
      },
    )
    return {
      from: main.recognised.naming,
      to,
      tensors: plan.tensors.length,
      bytes,
      files,
      copiesLeftOut: copies,
      unnamed: unnamedIn(to, [...kept.keys()]).filter((name) => !isBuffer(name)),
      configProblem: problem,
    }
  } finally {
    await reader.close()
  }
}

/** Everything that the checkpoint has, used or not, and the parts of other checkpoints that are used of them. */
function tensorsOf(parts: Parts): Source {
  const { main, languageModel } = parts
  const origins = (part: Part) => (part === main && !languageModel ? main.recognised.tensors : part.tensors)
  const all = new Map(partList(parts).flatMap((part) => [...sourceOf(origins(part), part.checkpoint.tensors)]))
  const json = partList(parts).length > 1 ? configJson(parts) : undefined
  const config = json && parseConfig(json.json, json.where)
  const added = (name: string) => !main.recognised.tensors.has(name)
  return new Map([...all].filter(([name]) => !config || !added(name) || takes(config, name)))
}

function languageModelOf({ main }: Parts, names: readonly string[]): 'opt' | 't5' | undefined {
  if (names.some((name) => name.startsWith('language_model.model.'))) return 'opt'
  if (names.some((name) => name.startsWith('language_model.encoder.'))) return 't5'
  const { traits } = main.recognised
  const stated = main.checkpoint.metadata.language_model ?? textModelType(main.config)
  return (['opt', 't5'] as const).find((kind) => traits.has(kind) || kind === stated)
}

function textModelType(config: unknown): unknown {
  return (config as { text_config?: { model_type?: unknown } } | null | undefined)?.text_config?.model_type
}

/** Names of tensors that hold the same bytes as another one that they are tied to, the one that is kept. */
async function tiedCopies(source: Source, reader: SpanReader): Promise<string[]> {
  const copies: string[] = []
  for (const names of tiedTensors) {
    const [first, ...others] = names.filter((name) => source.has(name))
    for (const name of others)
      if (await sameValues(tensorAt(source, first as string), tensorAt(source, name), reader)) copies.push(name)
  }
  return copies
}

function tensorAt(source: Source, name: string): StoredTensor {
  return source.get(name)?.[0] as StoredTensor
}

async function sameValues(a: StoredTensor, b: StoredTensor, reader: SpanReader): Promise<boolean> {
  return a.dtype === b.dtype && a.shape.join() === b.shape.join() && (await reader.equal(a, b))
}

async function checkZero(zero: MustBeZero, to: Naming, reader: SpanReader): Promise<void> {
  if (await reader.isZero(zero)) return
  throw new CheckpointError(
    `${zero.name}: the biases of the keys, its middle third, are not zero, and ${namingTitles[to]} has no place for them; keep the Hugging Face names (--to huggingface)`,
  )
}

/** The file that is beside the checkpoint, else, for Hugging Face, what the shapes tell. */
function configOf(parts: Parts, to: Naming): { readonly config?: unknown; readonly problem?: string } {
  const { main } = parts
  if (main.config !== undefined) return { config: main.config }
  if (to !== 'huggingface' || main.recognised.naming === 'huggingface') return {}
  try {
    const { json, where } = configJson(parts)
    const retrieval = isRetrievalConfig(parseConfig(json, where))
    const architectures = [retrieval ? 'Blip2ForImageTextRetrieval' : 'Blip2ForConditionalGeneration']
    return { config: { architectures, ...(json as object) } }
  } catch (error) {
    if (error instanceof ConfigError) return { problem: error.message }
    throw error
  }
}

/** Of tokenizer and image processor, and the settings of generation. */
const besides =
  /^(tokenizer|tokenizer_config|special_tokens_map|added_tokens|preprocessor_config|processor_config|generation_config|vocab)\.json$|^(merges|vocab)\.txt$|^spiece\.model$|^qformer_tokenizer$/

async function filesBeside(parts: Parts, options: SourceOptions): Promise<string[]> {
  const folder = await tokenizerFolder(parts, options)
  const folders = [...new Set([parts.main.folder, folder])]
  const found = new Map<string, string>()
  for (const one of folders)
    for (const name of await readdir(one)) if (besides.test(name) && !found.has(name)) found.set(name, join(one, name))
  return [...found.values()]
}
