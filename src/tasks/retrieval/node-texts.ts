/** Texts → features in a file, and back. */
import { keepWholeBatches, type Records } from '../../checkpoints/node-records.ts'
import { SessionError } from '../../errors.ts'
import type { EncodeTextOptions, RetrievalEncoder } from './encoder.ts'

export interface TextOptions extends EncodeTextOptions {
  /** Texts that are encoded together. */
  readonly textBatch: number
  /** Told how many texts are done. */
  readonly onDone: (texts: number) => void
}

export interface StoredTexts {
  /** (texts, embedSize) */
  readonly projected: Float32Array
  /** Of each text. */
  readonly tokens: readonly (readonly number[])[]
}

/** Encodes the texts that are not in `records` yet. A record is the projected features and the tokens. */
export async function encodeTexts(
  encoder: RetrievalEncoder,
  texts: readonly string[],
  records: Records,
  { textBatch, maxTextLength, onDone, signal }: TextOptions,
): Promise<StoredTexts> {
  const { embedSize } = encoder
  await keepWholeBatches(records, texts.length, textBatch)
  onDone(records.count)
  while (records.count < texts.length) {
    signal?.throwIfAborted()
    const batch = texts.slice(records.count, records.count + textBatch)
    for (const [i, { projected, tokens }] of (await encoder.encodeTexts(batch, { maxTextLength, signal })).entries()) {
      if (projected.length !== embedSize) throw new RangeError(`${batch[i]}: features of ${projected.length} numbers`)
      if (!projected.every(Number.isFinite)) {
        throw new SessionError(
          `"${batch[i]}": the model gives features that are no numbers; is the checkpoint damaged?`,
        )
      }
      await records.append(projected, Int32Array.from(tokens))
    }
    onDone(records.count)
  }

  const projected = new Float32Array(texts.length * embedSize)
  const tokens: number[][] = []
  for (let text = 0; text < texts.length; text++) {
    const ids = new Int32Array(records.size(text) / 4 - embedSize)
    await records.read(text, projected.subarray(text * embedSize, (text + 1) * embedSize))
    await records.read(text, ids, 4 * embedSize)
    tokens.push(Array.from(ids))
  }
  return { projected, tokens }
}
