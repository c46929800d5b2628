/** Prompts of different lengths as one rectangle. */
export interface Prompts {
  readonly items: number
  /** Width of the rectangle: the longest prompt. */
  readonly tokens: number
  /** (items, tokens). */
  readonly ids: number[]
  /** Padding of each item, in tokens. */
  readonly padding: readonly number[]
}

/** Padding before the prompt: a decoder-only model continues the last token. */
export function leftPadded(prompts: readonly (readonly number[])[], padTokenId: number): Prompts {
  const { tokens, padding } = measure(prompts)
  const ids = prompts.flatMap((prompt, item) => [...Array<number>(padding[item] as number).fill(padTokenId), ...prompt])
  return { items: prompts.length, tokens, ids, padding }
}

/** Padding behind the prompt: an encoder reads it from position 0 on. */
export function rightPadded(prompts: readonly (readonly number[])[], padTokenId: number): Prompts {
  const { tokens, padding } = measure(prompts)
  const ids = prompts.flatMap((prompt, item) => [...prompt, ...Array<number>(padding[item] as number).fill(padTokenId)])
  return { items: prompts.length, tokens, ids, padding }
}

function measure(prompts: readonly (readonly number[])[]): { tokens: number; padding: number[] } {
  const tokens = Math.max(...prompts.map((prompt) => prompt.length))
  return { tokens, padding: prompts.map((prompt) => tokens - prompt.length) }
}
