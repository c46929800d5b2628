/** Folder `vision`: the image encoder alone, with the epsilons of LAVIS and of Hugging Face, and for another image size. */
import { basename, join } from 'node:path'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import type { Checkpoint } from '../../src/checkpoints/safetensors.ts'
import { input, labelled, type Target } from '../../src/graph/index.ts'
import { clipEncoder } from '../../src/models/clip.ts'
import { parseBlip2Config, type VisionConfig } from '../../src/models/config.ts'
import { imageEncoder } from '../../src/models/image-encoder.ts'
import { interpolatePositions } from '../../src/models/positions.ts'
import { visionEncoder } from '../../src/models/vision.ts'
import { layerNorm, type Params, storedParams } from '../../src/nn/index.ts'
import { evaluate, training } from '../support/evaluate.ts'
import { openReference, type Reference, tensorOf } from '../support/reference.ts'
import { floats, type Tensor } from '../support/tensors.ts'
import { compareAll, type Named, tolerances } from './compare.ts'
import { first } from './hf-image.ts'
import { batchFirst, find, range } from './layout.ts'
import { attempt, type Check } from './report.ts'

const positions = 'vision_model.embeddings.position_embedding'
const clipPositions = 'visual_encoder.positional_embedding'
const targets: readonly Target[] = [{ purpose: 'inference', sizes: { batch: 1 } }, training]

export async function checkVision(path: string): Promise<Check[]> {
  const folder = basename(path)
  const reference = await openReference(path)
  const checks: Check[] = []
  for (const [file, { cases, outputs }] of Object.entries(encoders)) {
    const expected = await expectedOutputs(reference, cases)
    for (const target of targets) {
      const variant = `${file}, ${target.purpose}`
      const compute = async () => {
        const { tensors } = await openCheckpoint(join(path, file))
        const found = await outputs(reference, tensors, target)
        return compareAll({ folder, variant }, found, expected, tolerances(reference.facts))
      }
      checks.push(...(await attempt(folder, variant, compute)))
    }
  }
  return checks
}

interface Encoder {
  /** The cases that it has. */
  readonly cases: RegExp
  outputs(reference: Reference, tensors: Checkpoint['tensors'], target: Target): Promise<Named>
}

const encoders: Readonly<Record<string, Encoder>> = {
  'eva.hf.safetensors': {
    cases: /^(eva|hf_eps)/,
    outputs: async (reference, tensors, target) => ({
      ...(await lavisOutputs(reference, tensors, target)),
      ...(await bigOutputs(reference, tensors, target)),
      ...(await huggingFaceOutputs(reference, tensors, target)),
    }),
  },
  'clip.lavis.safetensors': { cases: /^clip\./, outputs: clipOutputs },
}

async function expectedOutputs({ names, tensor }: Reference, cases: RegExp): Promise<Named> {
  const wanted = names.filter((name) => cases.test(name))
  return Object.fromEntries(await Promise.all(wanted.map(async (name) => [name, await tensor(name)] as const)))
}

interface Facts {
  readonly vision: Partial<VisionConfig>
  readonly block_layer_norm_eps: number
  readonly ln_vision_eps: number
  readonly big_image: number
  readonly grid: { readonly native: number; readonly big: number; readonly small: number }
  readonly clip: {
    readonly image_size: number
    readonly patch_size: number
    readonly width: number
    readonly layers: number
    readonly heads: number
    readonly layer_norm_eps: number
  }
}

/** The sizes of the folder; what it does not say is as published. */
function configOf({ facts }: Reference, changes: Partial<VisionConfig>): VisionConfig {
  const published = parseBlip2Config({ model_type: 'blip-2', text_config: { model_type: 'opt' } }, 'defaults')
  return { ...published.vision_config, ...(facts as unknown as Facts).vision, ...changes }
}

function pixelInput({ num_channels, image_size }: VisionConfig) {
  return input('pixel_values', 'float32', ['batch', num_channels, image_size, image_size])
}

/** LAVIS: one epsilon in the blocks, another in `ln_vision`, which its tower does not include. */
async function lavisOutputs(reference: Reference, tensors: Checkpoint['tensors'], target: Target): Promise<Named> {
  const { block_layer_norm_eps, ln_vision_eps } = reference.facts as unknown as Facts
  const config = configOf(reference, { layer_norm_eps: block_layer_norm_eps })
  const { params } = storedParams(tensors)
  const forward = visionEncoder(params.at('vision_model'), config, pixelInput(config))
  const inside = find(labelled([forward]))
  const block = (i: number) => inside(`vision_model.encoder.layers.${i}`)
  return evaluate(
    {
      'eva.patch_embed': batchFirst(inside('vision_model.embeddings.patch_embedding')),
      'eva.embeddings': batchFirst(inside('vision_model.embeddings')),
      ...Object.fromEntries(range(config.num_hidden_layers).map((i) => [`eva.blocks.${i}`, batchFirst(block(i))])),
      'eva.forward': batchFirst(forward),
      'eva.ln_vision': batchFirst(layerNorm(params.at('vision_model.post_layernorm'), forward, ln_vision_eps)),
    },
    { pixel_values: await reference.tensor('in.image') },
    target,
  )
}

/** A larger and a smaller grid of positions, and the tower at the larger image size. */
async function bigOutputs(reference: Reference, tensors: Checkpoint['tensors'], target: Target): Promise<Named> {
  const { block_layer_norm_eps, big_image, grid } = reference.facts as unknown as Facts
  const config = configOf(reference, { layer_norm_eps: block_layer_norm_eps, image_size: big_image })
  const stored = (await tensorOf(tensors, positions)).data as Float32Array
  const resampled = (side: number): Tensor =>
    floats(
      [1, 1 + side * side, config.hidden_size],
      interpolatePositions(stored, {
        from: grid.native,
        to: side,
        width: config.hidden_size,
        alignCorners: false,
      }),
    )
  const [big, small] = [resampled(grid.big), resampled(grid.small)]
  const { params } = storedParams(tensors, { replaced: new Map([[positions, big.data as Float32Array]]) })
  const forward = batchFirst(visionEncoder(params.at('vision_model'), config, pixelInput(config)))
  return {
    'eva.interpolated_pos_embed': big,
    'eva.interpolated_pos_embed_small': small,
    ...(await evaluate(
      { 'eva.forward_big': forward },
      { pixel_values: await reference.tensor('in.image_big') },
      target,
    )),
  }
}

/** Hugging Face: the one epsilon that the case's name states, `hf_eps1e-06.pooler_output`, in blocks and final norm. */
async function huggingFaceOutputs(
  reference: Reference,
  tensors: Checkpoint['tensors'],
  target: Target,
): Promise<Named> {
  const epsilons = new Set(reference.names.flatMap((name) => /^hf_eps([^.]+)\./.exec(name)?.[1] ?? []))
  const results: Record<string, Tensor> = {}
  for (const epsilon of epsilons) {
    const config = configOf(reference, { layer_norm_eps: Number(epsilon), post_layernorm_eps: Number(epsilon) })
    const { params } = storedParams(tensors)
    const last = imageEncoder(params, config, pixelInput(config))
    const pooled = layerNorm(params.at('vision_model.post_layernorm'), first(last), config.layer_norm_eps)
    const outputs = {
      [`hf_eps${epsilon}.last_hidden_state`]: batchFirst(last),
      [`hf_eps${epsilon}.pooler_output`]: pooled,
    }
    Object.assign(results, await evaluate(outputs, { pixel_values: await reference.tensor('in.image') }, target))
  }
  return results
}

/** CLIP's tower at its own image size and at a larger one. Its positions are interpolated with aligned corners. */
async function clipOutputs(reference: Reference, tensors: Checkpoint['tensors'], target: Target): Promise<Named> {
  const { clip, grid, big_image } = reference.facts as unknown as Facts
  const { width, layers, heads, ...sizes } = clip
  const config = configOf(reference, {
    ...sizes,
    model_type: 'clip_vision_model',
    hidden_act: 'quick_gelu',
    hidden_size: width,
    intermediate_size: 4 * width,
    num_hidden_layers: layers,
    num_attention_heads: heads,
  })
  const stored = (await tensorOf(tensors, clipPositions)).data as Float32Array
  const grids = { from: grid.native, to: grid.big, width, alignCorners: true }
  const big = floats([1 + grid.big ** 2, width], interpolatePositions(stored, grids))
  const replaced = new Map([[clipPositions, big.data as Float32Array]])

  const forward = async (vision: VisionConfig, params: Params, image: string) => {
    const output = clipEncoder(params.at('visual_encoder'), vision, pixelInput(vision))
    return (await evaluate({ output: batchFirst(output) }, { pixel_values: await reference.tensor(image) }, target))
      .output!
  }
  return {
    'clip.forward': await forward(config, storedParams(tensors).params, 'in.image'),
    'clip.interpolated_pos_embed': big,
    'clip.forward_big': await forward(
      { ...config, image_size: big_image },
      storedParams(tensors, { replaced }).params,
      'in.image_big',
    ),
  }
}
