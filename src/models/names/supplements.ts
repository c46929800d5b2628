/** What a second checkpoint can add to one that lacks a part: its language model, its image encoder. Whatever else it has is ignored. */
import { CheckpointError } from '../../errors.ts'
import { type Origin, partOf, recogniseNames } from './names.ts'
import { hasPart } from './parts.ts'
import type { Part } from './table.ts'

/**
 * Canonical name → origin of the language model in a checkpoint: in its publisher's own layout (facebook/opt-2.7b, google/flan-t5-xl), or
 * inside a BLIP-2 of any naming. `where` begins the error.
 * @throws CheckpointError if there is none.
 */
export function languageModelNames(names: readonly string[], where: string): ReadonlyMap<string, Origin> {
  // OPT was first published as the decoder alone.
  const found = firstWith('language model', names, ['', 'language_model.', 'language_model.model.'])
  if (found) return found
  throw new CheckpointError(
    `${where}: no language model in it: expected the tensors of OPT or Flan-T5, or a BLIP-2 with one, found ${names[0] ?? 'nothing'}`,
  )
}

/** The same for the image encoder: of a BLIP-2 of any naming, or alone, as LAVIS's eva_vit_g.pth and clip_vit_L.pth have it. */
export function imageEncoderNames(names: readonly string[], where: string): ReadonlyMap<string, Origin> {
  const found = firstWith('image encoder', names, ['', 'visual_encoder.'])
  if (found) return found
  throw new CheckpointError(
    `${where}: no image encoder in it: expected the tensors of EVA or CLIP as LAVIS names them, or a BLIP-2 with one, found ${names[0] ?? 'nothing'}`,
  )
}

/** The tensors of a part, once the names are recognised behind one of the prefixes. */
function firstWith(
  part: Part,
  names: readonly string[],
  prefixes: readonly string[],
): ReadonlyMap<string, Origin> | undefined {
  for (const prefix of prefixes) {
    const recognised = recogniseNames(names.map((name) => prefix + name))
    const found = [...(recognised?.tensors ?? [])].filter(([name]) => partOf(name) === part || isNorm(part, name))
    if (hasPart(recognised?.tensors.keys() ?? [], part))
      return new Map(found.map(([name, origin]) => [name, withoutPrefix(origin, prefix.length)]))
  }
  return undefined
}

/** The norm behind the encoder is trained with the Q-Former: it is taken from the encoder's checkpoint where the model's has none. */
function isNorm(part: Part, name: string): boolean {
  return part === 'image encoder' && partOf(name) === 'encoder norm'
}

function withoutPrefix(origin: Origin, length: number): Origin {
  return origin.kind === 'stored'
    ? { kind: 'stored', name: origin.name.slice(length) }
    : { kind: 'joined', q: origin.q.slice(length), v: origin.v.slice(length) }
}
