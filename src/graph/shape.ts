import { ShapeError } from '../errors.ts'
import type { Dim, Shape, Value } from './value.ts'

/** `(batch, 257, 1408)`. */
export function showShape(shape: Shape): string {
  return `(${shape.join(', ')})`
}

/** A value as an error names it: its published path (or the nearest one above it) and its shape. */
export function describe(value: Value): string {
  return `${nearestLabel(value) ?? value.dtype} ${showShape(value.shape)}`
}

/** The label of the value or, going back through at most a few nodes, of what it was computed from. */
function nearestLabel(value: Value): string | undefined {
  let level: Value[] = [value]
  for (let depth = 0; depth < 6; depth++) {
    const labelled = level.filter((one) => one.label !== undefined)
    const best = labelled.find((one) => one.source.kind === 'parameter') ?? labelled[0]
    if (best) return depth === 0 ? best.label : `after ${best.label}`
    level = level.flatMap((one) => {
      if (one.source.kind === 'node') return one.source.node.inputs.filter((it) => it !== undefined)
      return one.source.kind === 'forms' ? [one.source.plain] : []
    })
  }
  return undefined
}

/** `MatMul: a (2, 3) and b (4, 5): inner sizes 3 and 4 differ`. */
export function shapeError(op: string, values: readonly Value[], problem: string): ShapeError {
  return new ShapeError(`${op}: ${values.map(describe).join(' and ')}: ${problem}`)
}

/** NumPy broadcasting of two shapes of one dtype; a named size equals only itself and 1. */
export function broadcastShapes(op: string, a: Value, b: Value): Dim[] {
  if (a.dtype !== b.dtype) throw shapeError(op, [a, b], `dtypes ${a.dtype} and ${b.dtype} differ`)
  const rank = Math.max(a.shape.length, b.shape.length)
  return Array.from({ length: rank }, (_, i) => {
    const x = a.shape[i - rank + a.shape.length] ?? 1
    const y = b.shape[i - rank + b.shape.length] ?? 1
    if (x === y || y === 1) return x
    if (x === 1) return y
    throw shapeError(op, [a, b], `sizes ${x} and ${y} of axis ${i - rank} neither agree nor are 1`)
  })
}

/** An axis counted from the front, with its range checked. */
export function frontAxis(op: string, value: Value, axis: number): number {
  const rank = value.shape.length
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw shapeError(op, [value], `axis ${axis} is outside -${rank}..${rank - 1}`)
  }
  return axis < 0 ? axis + rank : axis
}

/** Sum of sizes, of which some may be named: `past` + `tokens` is `past+tokens`, and `tokens-1` + 1 is `tokens`. */
export function addDims(dims: readonly Dim[]): Dim {
  const terms = dims.map((dim) => (typeof dim === 'number' ? { name: '', fixed: dim } : apart(dim)))
  const names = terms.flatMap(({ name }) => name || [])
  const fixed = terms.reduce((sum, term) => sum + term.fixed, 0)
  if (names.length === 0) return fixed
  return names.join('+') + (fixed > 0 ? `+${fixed}` : fixed || '')
}

/** `past+tokens-1` is the name `past+tokens` and the number -1. */
function apart(dim: string): { readonly name: string; readonly fixed: number } {
  const [number = ''] = /[+-]\d+$/.exec(dim) ?? []
  return { name: dim.slice(0, dim.length - number.length), fixed: Number(number) }
}

/** Product of sizes, of which some may be named: 16 · `past+tokens` is `16*(past+tokens)`. */
export function multiplyDims(dims: Shape): Dim {
  const fixed = dims.filter((dim) => typeof dim === 'number').reduce((product, dim) => product * dim, 1)
  const named = dims.filter((dim) => typeof dim === 'string')
  if (named.length === 0 || fixed === 0) return fixed
  const factors = [...(fixed === 1 ? [] : [String(fixed)]), ...named]
  return factors.length === 1 ? factors.join() : factors.map((one) => (/[+-]/.test(one) ? `(${one})` : one)).join('*')
}

/** Number of elements when every named size has the given value (1 where none is given); for choosing between forms. */
export function elementCount(shape: Shape, sizes: Readonly<Record<string, number>> = {}): number {
  const term = (name: string) => sizes[name] ?? (Number(name) || 1)
  const sum = (text: string) =>
    [...text.matchAll(/([+-]?)([^+()-]+)/g)].reduce((n, [, sign, name]) => n + (sign === '-' ? -1 : 1) * term(name!), 0)
  const size = (dim: Dim) =>
    typeof dim === 'number' ? dim : dim.split('*').reduce((product, factor) => product * sum(factor), 1)
  return shape.reduce<number>((product, dim) => product * size(dim), 1)
}
