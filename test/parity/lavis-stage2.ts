/** Folders `lavis-stage2-*`: the image half, the language model's logits and its answers, from every file that LAVIS and mmpretrain would save. */
import { access } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { GenerationOptions } from '../../src/generation/options.ts'
import type { GeneratedSequence } from '../../src/generation/sequence.ts'
import { labelled, type Target, type Value } from '../../src/graph/index.ts'
import { imageGraph, tiedNames } from '../../src/models/blip2.ts'
import { type Blip2Config, isRetrievalConfig } from '../../src/models/config.ts'
import { type Params, storedParams } from '../../src/nn/index.ts'
import { openDevice } from '../../src/runtime/node.ts'
import { createEngine } from '../../src/tasks/engine.ts'
import type { ModelSource } from '../../src/tasks/node-source.ts'
import { createSessions } from '../../src/tasks/sessions.ts'
import { evaluate, training } from '../support/evaluate.ts'
import { openReference, type Reference } from '../support/reference.ts'
import { longs } from '../support/tensors.ts'
import { compareAll, type Named, tolerances } from './compare.ts'
import { optOutputs } from './hf-opt.ts'
import { t5Outputs } from './hf-t5.ts'
import type { Texts } from './hf-text.ts'
import { imageHalf, openLavis } from './lavis.ts'
import { batchFirst, find, rows } from './layout.ts'
import { attempt, type Check } from './report.ts'

/** Small expected sizes, for which every operator that has a fused form uses it. */
const targets: readonly Target[] = [{ purpose: 'inference', sizes: { batch: 1, tokens: 2, read: 2 } }, training]

/** All weights in one file, and what LAVIS saves: what it has trained. */
const wholeFiles = ['model.safetensors', 'mmpretrain-caption.pth']
const trainedFile = 'checkpoint_trainable.pth'

const textCases = ['caption', 'prompted'] as const

export async function checkLavisStage2(path: string): Promise<Check[]> {
  const folder = basename(path)
  const reference = await openReference(path)
  const expected = await expectedOutputs(reference)
  const checks: Check[] = []
  for (const file of await filesOf(path)) {
    for (const target of targets) {
      const variant = `${file}, ${target.purpose}`
      const compute = async () => {
        const source = await openStageTwo(reference, file)
        const found = await outputs(source, reference, target)
        return compareAll({ folder, variant }, found, expected, tolerances(reference.facts))
      }
      checks.push(...(await attempt(folder, variant, compute)))
    }
    const generate = async () => checkAnswers(await openStageTwo(reference, file), reference, `${file}, generate`)
    checks.push(...(await attempt(folder, `${file}, generate`, generate)))
  }
  return checks
}

/** mmpretrain has no Flan-T5. */
async function filesOf(path: string): Promise<string[]> {
  const there = (file: string) =>
    access(join(path, file)).then(
      () => true,
      () => file === wholeFiles[0],
    )
  const whole = await Promise.all(wholeFiles.map(async (file) => ((await there(file)) ? [file] : [])))
  return [...whole.flat(), trainedFile]
}

export type StageTwo = ModelSource & { readonly config: Blip2Config }

/** The frozen parts come from the file with all weights where the one under test has none. */
export async function openStageTwo(reference: Reference, file: string): Promise<StageTwo> {
  const whole = join(reference.folder, wholeFiles[0]!)
  const others = file === trainedFile ? { languageModel: whole, imageEncoder: whole } : {}
  const source = await openLavis(
    reference,
    file,
    { ...imageHalf(reference), text_config: textConfig(reference) },
    others,
  )
  if (isRetrievalConfig(source.config)) throw new Error(`${file}: no language model`)
  return { ...source, config: source.config }
}

function textConfig({ facts }: Reference): object {
  const { llm, newline_token_id } = facts.config as {
    readonly llm: Readonly<Record<string, number>>
    readonly newline_token_id: number | null
  }
  // LAVIS ends OPT's texts with a new line; Flan-T5 is as its own config.json says.
  return newline_token_id === null
    ? { model_type: 't5', ...llm, feed_forward_proj: 'gated-gelu', tie_word_embeddings: false }
    : { model_type: 'opt', ...llm, word_embed_proj_dim: llm.hidden_size, eos_token_id: newline_token_id }
}

async function outputs({ tensors, replaced, config }: StageTwo, reference: Reference, target: Target): Promise<Named> {
  const { params } = storedParams(tensors, { aliases: tiedNames, replaced })
  const { forLanguage, ...image } = await imageOutputs(params, config, reference, target)
  const run = { params, config, queryEmbeds: forLanguage!, target }
  const model = config.text_config.model_type === 'opt' ? optOutputs : t5Outputs
  const found: Record<string, Named[string]> = { ...image }
  for (const name of textCases)
    found[`${name}.logits`] = (await model(run, await texts(reference, name, config))).logits!
  return found
}

/** `forLanguage` are the projected queries as the language model takes them. */
async function imageOutputs(params: Params, config: Blip2Config, reference: Reference, target: Target): Promise<Named> {
  const { query_output, query_embeds } = imageGraph(params, config) as Record<string, Value>
  const embeds = find(labelled([query_embeds!]))('vision_model.post_layernorm')
  return evaluate(
    {
      image_embeds: batchFirst(embeds),
      query_output: batchFirst(query_output!),
      proj: batchFirst(query_embeds!),
      forLanguage: query_embeds!,
    },
    { pixel_values: await reference.tensor('in.image') },
    target,
  )
}

/** OPT reads the text, and its labels begin with those of the queries. Flan-T5 reads a prompt and predicts the text. */
async function texts(reference: Reference, name: string, config: Blip2Config): Promise<Texts> {
  const labels = await reference.tensor(`${name}.labels`)
  const ids = await reference.tensor(`in.${name}.input_ids`)
  if (config.text_config.model_type === 't5') {
    const [mask, labelMask] = ['input', 'output'].map((side) => reference.tensor(`in.${name}.${side}_attention_mask`))
    return { ids, mask: (await mask)!, labels, labelMask: (await labelMask)! }
  }
  const ofText = rows(labels).flatMap((row) => row.slice(config.num_query_tokens))
  return { ids, mask: await reference.tensor(`in.${name}.attention_mask`), labels: longs(ids.shape, ofText) }
}

async function expectedOutputs({ names, tensor }: Reference): Promise<Named> {
  const wanted = names.filter((name) => /^(image_embeds|query_output|proj)$|\.logits$/.test(name))
  return Object.fromEntries(await Promise.all(wanted.map(async (name) => [name, await tensor(name)] as const)))
}

/** Token ids of an image's answers, start token first. */
interface Answers extends Readonly<Record<AnswerCase, readonly number[]>> {
  readonly image: number
}

type AnswerCase = 'generate_beam5_max_length12' | 'predict_answers_lp_minus1' | 'predict_answers_lp0'

/** LAVIS's generate and predict_answers, one image at a time; README of the folders. */
async function checkAnswers(source: StageTwo, reference: Reference, variant: string): Promise<Check[]> {
  const device = await openDevice({ threads: 1 })
  const engine = createEngine(createSessions(device, source.config, source.tensors, source.replaced))
  try {
    const pixels = await reference.tensor('in.image')
    const images = await engine.encode(pixels.data as Float32Array, pixels.shape[0]!)
    const checks: Check[] = []
    for (const [name, { prompt, options }] of Object.entries(answerCases(source.config, reference))) {
      let differing = 0
      for (const answers of reference.facts.generate as readonly Answers[]) {
        const expected = answers[name as AnswerCase]
        const item = { image: images[answers.image]!, prompt: prompt(answers.image) }
        const [sequences] = await engine.generate([item], options)
        if (written(expected[0]!, sequences![0]!, source.config) !== expected.join()) differing++
      }
      const check = { folder: basename(reference.folder), variant, name: `${name} tokens` }
      checks.push({ ...check, difference: differing, tolerance: 0 })
    }
    return checks
  } finally {
    await engine.dispose()
  }
}

interface Asked {
  prompt(image: number): readonly number[]
  readonly options: GenerationOptions
}

function answerCases({ text_config }: Blip2Config, { facts }: Reference): Record<AnswerCase, Asked> {
  const question = (image: number) => (facts.questions as readonly number[][])[image]!
  const answer = { numBeams: 5, maxNewTokens: 8 }
  // For OPT the length of 12 counts the bos; for Flan-T5 LAVIS hands it on as new tokens.
  const caption = { numBeams: 5, maxNewTokens: text_config.model_type === 'opt' ? 11 : 12 }
  return {
    generate_beam5_max_length12: { prompt: () => facts.generate_prompt as readonly number[], options: caption },
    predict_answers_lp_minus1: { prompt: question, options: { ...answer, lengthPenalty: -1 } },
    predict_answers_lp0: { prompt: question, options: { ...answer, lengthPenalty: 0 } },
  }
}

/** A sequence as the reference writes it: with the start token, and the end token where it came to an end. */
function written(start: number, { tokens, finishReason }: GeneratedSequence, { text_config }: Blip2Config): string {
  return [start, ...tokens, ...(finishReason === 'eos' ? text_config.eos_token_id : [])].join()
}
