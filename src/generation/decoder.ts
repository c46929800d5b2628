/** What the generation algorithms ask of a language model, and the checked reading of its answers. */
import { SessionError } from '../errors.ts'

/**
 * A language model part-way through a batch of items (one image and prompt each). Each item has `branches`
 * continuations (beams or samples) that share its prefix and form a token tree: a step only appends leaves, and a leaf
 * names its parent, so an implementation keeps an append-only key/value cache and never reorders it.
 *
 * A decoder serves one generation: `prefill` once, then `step` until the caller has enough. The start token (OPT's bos,
 * T5's decoder start) belongs to the decoder: it is not passed to `step`.
 */
export interface Decoder {
  readonly items: number
  readonly vocabSize: number

  /** Logits of the first new token: (items, vocabSize), owned by the caller. Called once, first. */
  prefill(): Promise<Float32Array>

  /**
   * Appends one token per branch and returns the logits of the next: (items, branches, vocabSize), owned by the caller.
   *
   * `tokens` and `parents` are (items, branches): parents[i, b] is the branch of item i in the previous step that
   * branch b now continues with tokens[i, b]; several branches may continue the same one. In the first step every
   * parent is 0, the prefix. The first step fixes the number of branches. An item or branch that has ended goes on with
   * pad tokens and itself as parent; nobody reads its logits.
   */
  step(tokens: Int32Array, parents: Int32Array): Promise<Float32Array>
}

/** The logits of the next token of one branch of one item: (vocabSize), a view. */
export type Rows = (item: number, branch: number) => Float32Array

/** Runs the prefix. Every branch of an item reads the same row. Throws the signal's reason, before and after the run. */
export async function firstRows(decoder: Decoder, signal?: AbortSignal): Promise<Rows> {
  signal?.throwIfAborted()
  const logits = await decoder.prefill()
  signal?.throwIfAborted()
  checkSize(logits, [decoder.items, decoder.vocabSize], 'prefill')
  return (item) => rowOf(logits, decoder.vocabSize, item)
}

/** Appends one token per branch. tokens, parents: (items, branches). Throws the signal's reason, before and after. */
export async function nextRows(
  decoder: Decoder,
  tokens: Int32Array,
  parents: Int32Array,
  signal?: AbortSignal,
): Promise<Rows> {
  const branches = tokens.length / decoder.items
  signal?.throwIfAborted()
  const logits = await decoder.step(tokens, parents)
  signal?.throwIfAborted()
  checkSize(logits, [decoder.items, branches, decoder.vocabSize], 'step')
  return (item, branch) => rowOf(logits, decoder.vocabSize, item * branches + branch)
}

function rowOf(logits: Float32Array, width: number, row: number): Float32Array {
  return logits.subarray(row * width, (row + 1) * width)
}

function checkSize(logits: Float32Array, shape: readonly number[], call: string): void {
  const expected = shape.reduce((product, size) => product * size, 1)
  if (logits.length === expected) return
  throw new SessionError(
    `decoder.${call}: expected (${shape.join(', ')}) = ${expected} logits, found ${logits.length} values`,
  )
}
