/** The package's own tasks on a first-stage model: features, match scores, retrieval scores, captions. */
import { basename } from 'node:path'
import type { GenerationOptions } from '../../src/generation/options.ts'
import type { GeneratedSequence } from '../../src/generation/sequence.ts'
import type { RgbImage } from '../../src/images/rgb-image.ts'
import { openDevice } from '../../src/runtime/node.ts'
import type { Blip2 } from '../../src/tasks/blip2.ts'
import type { MatchingImage } from '../../src/tasks/image.ts'
import { createMatchingEngine, type MatchingEngine, type TokenNames } from '../../src/tasks/matching/engine.ts'
import { createRetrievalModel } from '../../src/tasks/matching/model.ts'
import type { FeatureTensor, Match } from '../../src/tasks/matching/results.ts'
import { createMatchingSessions } from '../../src/tasks/matching/sessions.ts'
import { retrieve } from '../../src/tasks/retrieval/node-retrieve.ts'
import type { Ranking } from '../../src/tasks/retrieval/ranking.ts'
import type { Reference } from '../support/reference.ts'
import { filled, floats, numbers, type Tensor } from '../support/tensors.ts'
import { compareAll, type Named, tolerances } from './compare.ts'
import type { StageOne } from './lavis-qformer.ts'
import { range, rows } from './layout.ts'
import type { Check } from './report.ts'

/** Texts of the reference go by names such as `plain 2`; images are encoded. */
interface Loaded {
  readonly model: Blip2
  readonly images: readonly MatchingImage[]
}

export async function checkMatching(reference: Reference, source: StageOne, variant: string): Promise<Check[]> {
  const device = await openDevice({ threads: 1 })
  const sessions = createMatchingSessions(device, source.config, source.tensors, source.replaced)
  const tokens = tokenNames(reference)
  const engine = createMatchingEngine(sessions, tokens)
  try {
    const pixels = await reference.tensor('in.image')
    const images = await engine.encode(pixels.data as Float32Array, pixels.shape[0]!)
    const loaded = { model: await modelOf(engine, reference), images }
    const found = {
      ...(await features(loaded)),
      ...(await scores(loaded)),
      ...(await retrievalScores(loaded, reference)),
    }
    const folder = basename(reference.folder)
    return [
      ...compareAll({ folder, variant }, found, await expectedOutputs(reference), tolerances(reference.facts)),
      ...(await checkCaptions(engine, images, reference, variant)),
    ]
  } finally {
    await engine.dispose()
  }
}

function tokenNames({ facts }: Reference): TokenNames & { readonly clsId: number } {
  const { pad, cls, sep, bos } = (facts.config as { tokens: Record<string, number> }).tokens as Record<string, number>
  return { padId: pad!, clsId: cls!, sepId: sep!, decId: bos! }
}

const textSets = { plain: 'in.', extract: 'in.extract_' }

/** A model whose tokenizer knows the reference's texts. */
async function modelOf(engine: MatchingEngine, reference: Reference): Promise<Blip2> {
  const texts = new Map<string, number[]>()
  for (const [set, prefix] of Object.entries(textSets)) {
    for (const [place, tokens] of (await realRows(reference, prefix)).entries()) texts.set(`${set} ${place}`, tokens)
  }
  return createRetrievalModel({
    name: 'reference',
    engine,
    tokenizer: { ...tokenNames(reference), encode: (text) => texts.get(text) as number[], decode: String },
    preprocessor: { pixelValues: () => Promise.reject(new Error('the images are encoded')), dispose: async () => {} },
  })
}

/** LAVIS's extract_features; of texts without their padding. */
async function features({ model, images }: Loaded): Promise<Named> {
  const texts = textsOf('extract', images)
  const image = await model.featuresBatch({ mode: 'image', images })
  const text = await model.featuresBatch({ mode: 'text', texts })
  const both = await model.featuresBatch({ mode: 'multimodal', images, texts })
  const plain = await model.featuresBatch({ mode: 'text', texts: textsOf('plain', images) }, { batch: 1 })
  return {
    'extract_image.image_embeds': stacked(image.map(({ embeds }) => embeds)),
    'extract_image.image_embeds_proj': stacked(image.map(({ projected }) => projected!)),
    'extract_text.text_embeds': joined(text.map(({ embeds }) => embeds)),
    'extract_text.text_embeds_proj': joined(text.map(({ projected }) => projected!)),
    'extract_multimodal.multimodal_embeds': stacked(both.map(({ embeds }) => embeds)),
    forward_text: stacked(
      plain.map(({ embeds: { shape, data } }) => ({ shape: [shape[1]!], data: data.slice(0, shape[1]) })),
    ),
  }
}

/** Every image with every text; of these the reference has some. */
async function scores({ model, images }: Loaded): Promise<Named> {
  const matches: Match[][] = []
  for await (const row of model.matchAll(images, textsOf('plain', images), { batch: 3 })) matches.push(row)
  const own = matches.map((row, image) => row[image]!)
  const shifted = matches.map((row, image) => row[(image + 1) % images.length]!)
  const count = images.length
  return {
    'compute_itm.matched': floats(
      [count],
      own.map(({ itm_logits }) => itm_logits[1]),
    ),
    'compute_itm.shifted_text': floats(
      [count],
      shifted.map(({ itm_logits }) => itm_logits[1]),
    ),
    'blip2_itm.itm': floats(
      [count, 2],
      own.flatMap(({ itm_logits }) => itm_logits),
    ),
    'blip2_itm.itc': floats(
      [count, 1],
      own.map(({ itc }) => itc),
    ),
  }
}

/** compute_sim_matrix: the scores of the candidates, and those of the others. */
async function retrievalScores({ model, images }: Loaded, { facts }: Reference): Promise<Named> {
  const { retrieval } = model
  const encoded = images.map(({ projected, imageEmbeds }) => ({
    projected: projected.data as Float32Array,
    imageEmbeds: imageEmbeds.data as Float32Array,
  }))
  const placeholders = images.map((_, place): RgbImage => ({ width: 1, height: 1, data: Uint8Array.of(place, 0, 0) }))
  const texts = textsOf('plain', images)
  const { textsOfImages, imagesOfTexts } = await retrieve(
    { ...retrieval, encodeImages: async (some) => some.map((image) => encoded[(image as RgbImage).data[0]!]!) },
    { images: placeholders, texts },
    { k: facts.retrieval_k_test as number, rule: 'lavis', features: 'float32' },
  )
  return {
    'retrieval.score_i2t': scoreMatrix(textsOfImages, images.length, texts.length),
    'retrieval.score_t2i': scoreMatrix(imagesOfTexts, texts.length, images.length),
  }
}

function scoreMatrix({ k, indices, score }: Ranking, queries: number, candidates: number): Tensor {
  const matrix = filled([queries, candidates], -100)
  indices.forEach((candidate, slot) => {
    matrix.data[Math.floor(slot / k) * candidates + candidate] = score[slot]!
  })
  return matrix
}

async function expectedOutputs(reference: Reference): Promise<Named> {
  const wanted = reference.names.filter((name) =>
    /^(extract_|compute_itm\.|forward_text$|blip2_itm\.|retrieval\.)/.test(name),
  )
  const masks = rows(await reference.tensor('in.extract_attention_mask'))
  const tensors = wanted.map(async (name) => {
    const tensor = await reference.tensor(name)
    return [name, name.startsWith('extract_text.') ? withoutPadding(tensor, masks) : tensor] as const
  })
  return Object.fromEntries(await Promise.all(tensors))
}

interface CaptionCase {
  readonly name: string
  readonly args: { readonly num_beams: number; readonly max_length: number; readonly min_length: number }
  readonly per_image: readonly { readonly sequences: readonly (readonly number[])[]; readonly score: number | null }[]
}

/** Captions of the Q-Former, one image at a time and batched: other tokens than the reference's, and the relative difference of scores. */
async function checkCaptions(
  engine: MatchingEngine,
  images: readonly MatchingImage[],
  reference: Reference,
  variant: string,
): Promise<Check[]> {
  const folder = basename(reference.folder)
  const checks: Check[] = []
  for (const { name, args, per_image } of reference.facts.generate as readonly CaptionCase[]) {
    // The reference's lengths, unlike ours, count [DEC].
    const options: GenerationOptions = {
      numBeams: args.num_beams,
      maxNewTokens: args.max_length - 1,
      minNewTokens: Math.max(0, args.min_length - 1),
    }
    const single: GeneratedSequence[][] = []
    for (const image of images) single.push(...(await engine.caption([image], options)))
    const batched = await engine.caption(images, options)
    for (const [how, found] of [['one image at a time', single] as const, ['batched', batched] as const]) {
      const tokens = found.map((sequences) =>
        sequences.map((one) => written(one, tokenNames(reference)).join()).join('; '),
      )
      const expected = per_image.map(({ sequences }) => sequences.map((one) => one.join()).join('; '))
      const scores = per_image.map(({ score }, i) => (score === null ? 0 : Math.abs(found[i]![0]!.score / score - 1)))
      const check = { folder, variant: `${variant}, ${how}` }
      const differing = expected.filter((sequences, i) => sequences !== tokens[i]).length
      checks.push({ ...check, name: `${name} tokens`, difference: differing, tolerance: 0 })
      checks.push({ ...check, name: `${name} scores`, difference: Math.max(...scores), tolerance: 1e-5 })
    }
  }
  return checks
}

/** A sequence as the reference writes it: with [DEC], and [SEP] where it came to an end. */
function written({ tokens, finishReason }: GeneratedSequence, { decId, sepId }: TokenNames): number[] {
  return [decId, ...tokens, ...(finishReason === 'eos' ? [sepId] : [])]
}

function textsOf(set: keyof typeof textSets, images: readonly unknown[]): string[] {
  return range(images.length).map((place) => `${set} ${place}`)
}

/** The tokens of each text. */
async function realRows(reference: Reference, prefix: string): Promise<number[][]> {
  const masks = rows(await reference.tensor(`${prefix}attention_mask`))
  return rows(await reference.tensor(`${prefix}input_ids`)).map((row, i) => row.filter((_, at) => masks[i]![at] === 1))
}

/** Rows (items, tokens, size) → (real tokens of all items, size). */
function withoutPadding(tensor: Tensor, masks: readonly (readonly number[])[]): Tensor {
  const [, tokens, size] = tensor.shape as [number, number, number]
  const values = numbers(tensor)
  const real = masks.flatMap((mask, item) => mask.flatMap((seen, at) => (seen === 1 ? [item * tokens + at] : [])))
  return floats(
    [real.length, size],
    real.flatMap((row) => values.slice(row * size, (row + 1) * size)),
  )
}

/** Tensors of one shape as one. */
function stacked(tensors: readonly FeatureTensor[]): Tensor {
  return floats(
    [tensors.length, ...tensors[0]!.shape],
    tensors.flatMap(({ data }) => [...data]),
  )
}

/** Matrices of one width below each other. */
function joined(tensors: readonly FeatureTensor[]): Tensor {
  const count = tensors.reduce((sum, { shape }) => sum + shape[0]!, 0)
  return floats(
    [count, tensors[0]!.shape[1]!],
    tensors.flatMap(({ data }) => [...data]),
  )
}
