/** Where things are: in the picture, and beside each other. Told only where nobody would disagree. */
import type { Thing } from './world.ts'

export const relations = ['left of', 'right of', 'above', 'below'] as const
export type Relation = (typeof relations)[number]

/** `top left`, `right`, `middle`: to be put behind "at the" or "in the". */
export function placeOf(thing: Pick<Thing, 'x' | 'y'>): string {
  const word = (value: number, low: string, high: string) => (value < 0.38 ? low : value > 0.62 ? high : '')
  const words = [word(thing.y, 'top', 'bottom'), word(thing.x, 'left', 'right')].filter((one) => one !== '')
  return words.length === 0 ? 'middle' : words.join(' ')
}

/** The same, or undefined for a thing so near to a border between two places that people might disagree. */
export function clearPlaceOf({ x, y }: Pick<Thing, 'x' | 'y'>): string | undefined {
  const near = [-0.04, 0.04].flatMap((dx) => [-0.04, 0.04].map((dy) => placeOf({ x: x + dx, y: y + dy })))
  return new Set(near).size === 1 ? near[0] : undefined
}

/** Whether a lies that way from b, however far to its side; undefined where they are about level. */
export function liesTowards(
  a: Pick<Thing, 'x' | 'y'>,
  b: Pick<Thing, 'x' | 'y'>,
  relation: Relation,
): boolean | undefined {
  const ahead = { 'left of': b.x - a.x, 'right of': a.x - b.x, above: b.y - a.y, below: a.y - b.y }[relation]
  return Math.abs(ahead) < 0.2 ? undefined : ahead > 0
}

/** How a lies to b above all, or undefined where it could be told in two ways. */
export function relationOf(a: Pick<Thing, 'x' | 'y'>, b: Pick<Thing, 'x' | 'y'>): Relation | undefined {
  const [dx, dy] = [a.x - b.x, a.y - b.y]
  if (Math.abs(dx) > 0.15 && Math.abs(dx) > 1.4 * Math.abs(dy)) return dx < 0 ? 'left of' : 'right of'
  if (Math.abs(dy) > 0.15 && Math.abs(dy) > 1.4 * Math.abs(dx)) return dy < 0 ? 'above' : 'below'
  return undefined
}
