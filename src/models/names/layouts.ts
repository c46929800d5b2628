/** Which layout a checkpoint has, by the names of its tensors, and which part of the model a name belongs to. */

import { tiedNames } from '../../models/blip2.ts'

export type Format =
  | 'huggingface-blip2-opt'
  | 'huggingface-blip2-t5'
  | 'huggingface-blip2-retrieval'
  | 'lavis-blip2'
  | 'mmpretrain-blip2'
  | 'unknown'

interface Layout {
  readonly format: Format
  /** In words. */
  readonly title: string
  /** Beginnings of names that every such checkpoint has. */
  readonly has: readonly string[]
  /** Beginning of a name → part of the model. */
  readonly parts: Readonly<Record<string, string>>
  /** Names of one and the same tensor; files hold one of them or all. */
  readonly tied: readonly (readonly string[])[]
}

const huggingFaceTied = Object.entries(tiedNames).map(([name, others]) => [name, ...others])

const huggingFace = {
  'vision_model.': 'image encoder',
  query_tokens: 'query tokens',
  'qformer.': 'Q-Former',
  'language_projection.': 'projection',
  'language_model.': 'language model',
}

/** The original Q-Former's text head, and the language models inside, as LAVIS and mmpretrain name their parts. */
function originalTied(qformer: string, opt: string, t5: string): string[][] {
  return [
    [`${qformer}.bert.embeddings.word_embeddings.weight`, `${qformer}.cls.predictions.decoder.weight`],
    [`${qformer}.cls.predictions.bias`, `${qformer}.cls.predictions.decoder.bias`],
    [`${opt}.model.decoder.embed_tokens.weight`, `${opt}.lm_head.weight`],
    [`${t5}.shared.weight`, `${t5}.encoder.embed_tokens.weight`, `${t5}.decoder.embed_tokens.weight`],
  ]
}

/**
 * In the order in which they are tried. Names: transformers 4.47, modeling_blip_2.py; LAVIS 506965b, blip2_*.py; mmpretrain ee7f2e8,
 * models/multimodal/blip2; side by side in test/reference/vision/checkpoint-key-map.md.
 */
const layouts: readonly Layout[] = [
  {
    format: 'huggingface-blip2-opt',
    title: 'BLIP-2 with OPT, Hugging Face layout',
    has: ['vision_model.', 'qformer.', 'language_model.model.decoder.'],
    parts: huggingFace,
    tied: huggingFaceTied,
  },
  {
    format: 'huggingface-blip2-t5',
    title: 'BLIP-2 with Flan-T5, Hugging Face layout',
    has: ['vision_model.', 'qformer.', 'language_model.encoder.block.'],
    parts: huggingFace,
    tied: huggingFaceTied,
  },
  {
    format: 'huggingface-blip2-retrieval',
    title: 'BLIP-2 for image-text retrieval, Hugging Face layout',
    has: ['vision_model.', 'qformer.', 'itm_head.'],
    parts: {
      ...huggingFace,
      'embeddings.': 'Q-Former',
      'vision_projection.': 'comparison',
      'text_projection.': 'comparison',
      'itm_head.': 'comparison',
    },
    tied: [],
  },
  {
    format: 'lavis-blip2',
    title: 'BLIP-2, LAVIS layout',
    has: ['Qformer.bert.', 'query_tokens'],
    parts: {
      'visual_encoder.': 'image encoder',
      'ln_vision.': 'image encoder',
      query_tokens: 'query tokens',
      'Qformer.': 'Q-Former',
      'opt_proj.': 'projection',
      't5_proj.': 'projection',
      'opt_model.': 'language model',
      't5_model.': 'language model',
      'vision_proj.': 'comparison',
      'text_proj.': 'comparison',
      'itm_head.': 'comparison',
      temp: 'comparison',
    },
    tied: originalTied('Qformer', 'opt_model', 't5_model'),
  },
  {
    format: 'mmpretrain-blip2',
    title: 'BLIP-2, mmpretrain layout',
    has: ['multimodal_backbone.bert.', 'query_tokens'],
    parts: {
      'vision_backbone.': 'image encoder',
      'ln_vision_backbone.': 'image encoder',
      query_tokens: 'query tokens',
      'multimodal_backbone.': 'Q-Former',
      'vision_neck.': 'projection',
      'text_backbone.': 'language model',
      'text_neck.': 'comparison',
      'multimodal_head.': 'comparison',
      temp: 'comparison',
    },
    tied: originalTied('multimodal_backbone', 'text_backbone', 'text_backbone'),
  },
]

export function formatOf(tensors: readonly { readonly name: string }[]): Format {
  const has = (start: string) => tensors.some(({ name }) => name.startsWith(start))
  return layouts.find((layout) => layout.has.every(has))?.format ?? 'unknown'
}

/** The names of further copies of tied tensors: of each group, all that are there but the first. */
export function tiedCopies(tensors: readonly { readonly name: string }[], format: Format): Set<string> {
  const present = new Set(tensors.map(({ name }) => name))
  const groups = layouts.find((layout) => layout.format === format)?.tied ?? []
  return new Set(groups.flatMap((names) => names.filter((name) => present.has(name)).slice(1)))
}

export function titleOf(format: Format): string {
  return layouts.find((layout) => layout.format === format)?.title ?? 'not a known BLIP-2 layout'
}

/** In an unknown layout, the first component of the name. */
export function partOf(name: string, format: Format): string {
  const layout = layouts.find((one) => one.format === format)
  if (!layout) return name.split('.', 1)[0] as string
  return Object.entries(layout.parts).find(([start]) => name.startsWith(start))?.[1] ?? 'other'
}

/** The parts of a layout in the order in which an image passes them, the rest behind. */
export function partOrder(format: Format): readonly string[] {
  const parts = layouts.find((layout) => layout.format === format)?.parts ?? {}
  return [...new Set(Object.values(parts))]
}

/** Whether `caption`, `vqa` and `chat` can use it. */
export function canRun(format: Format): boolean {
  return format === 'huggingface-blip2-opt' || format === 'huggingface-blip2-t5'
}
