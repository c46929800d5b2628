/** Which layout a checkpoint has, by the names of its tensors, and which part of the model a name belongs to. */

export type Format =
  | 'huggingface-blip2-opt'
  | 'huggingface-blip2-t5'
  | 'huggingface-blip2-retrieval'
  | 'lavis-blip2'
  | 'unknown'

interface Layout {
  readonly format: Format
  /** In words. */
  readonly title: string
  /** Beginnings of names that every such checkpoint has. */
  readonly has: readonly string[]
  /** Beginning of a name → part of the model. */
  readonly parts: Readonly<Record<string, string>>
}

const huggingFace = {
  'vision_model.': 'image encoder',
  query_tokens: 'query tokens',
  'qformer.': 'Q-Former',
  'language_projection.': 'projection',
  'language_model.': 'language model',
}

/** In the order in which they are tried. Names: transformers 4.47, modeling_blip_2.py; LAVIS 506965b, blip2_*.py. */
const layouts: readonly Layout[] = [
  {
    format: 'huggingface-blip2-opt',
    title: 'BLIP-2 with OPT, Hugging Face layout',
    has: ['vision_model.', 'qformer.', 'language_model.model.decoder.'],
    parts: huggingFace,
  },
  {
    format: 'huggingface-blip2-t5',
    title: 'BLIP-2 with Flan-T5, Hugging Face layout',
    has: ['vision_model.', 'qformer.', 'language_model.encoder.block.'],
    parts: huggingFace,
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
  },
]

export function formatOf(tensors: readonly { readonly name: string }[]): Format {
  const has = (start: string) => tensors.some(({ name }) => name.startsWith(start))
  return layouts.find((layout) => layout.has.every(has))?.format ?? 'unknown'
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
