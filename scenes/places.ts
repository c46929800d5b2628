/** Where things are: in the picture, and beside each other. Told only where nobody would disagree. */
import type { Thing } from './world.ts'

export const sides = ['left', 'right', 'top', 'bottom', 'middle'] as const
export type Side = (typeof sides)[number]

export const relations = ['left of', 'right of', 'above', 'below'] as const
export type Relation = (typeof relations)[number]

/** The side that a thing is clearly at, or undefined between two. */
export function sideOf({ x, y }: Pick<Thing, 'x' | 'y'>): Side | undefined {
  const [dx, dy] = [x - 0.5, y - 0.5]
  if (Math.hypot(dx, dy) < 0.13) return 'middle'
  if (Math.max(Math.abs(dx), Math.abs(dy)) < 0.18) return undefined
  if (Math.abs(dx) > 1.5 * Math.abs(dy)) return dx < 0 ? 'left' : 'right'
  if (Math.abs(dy) > 1.5 * Math.abs(dx)) return dy < 0 ? 'top' : 'bottom'
  return undefined
}

/** `top left`, `right`, `middle`: to be put behind "at the" or "in the". */
export function placeOf(thing: Pick<Thing, 'x' | 'y'>): string {
  const word = (value: number, low: string, high: string) => (value < 0.38 ? low : value > 0.62 ? high : '')
  const words = [word(thing.y, 'top', 'bottom'), word(thing.x, 'left', 'right')].filter((one) => one !== '')
  return words.length === 0 ? 'middle' : words.join(' ')
}

/** How a lies to b, or undefined where it could be told in two ways. */
export function relationOf(a: Pick<Thing, 'x' | 'y'>, b: Pick<Thing, 'x' | 'y'>): Relation | undefined {
  const [dx, dy] = [a.x - b.x, a.y - b.y]
  if (Math.abs(dx) > 0.15 && Math.abs(dx) > 1.4 * Math.abs(dy)) return dx < 0 ? 'left of' : 'right of'
  if (Math.abs(dy) > 0.15 && Math.abs(dy) > 1.4 * Math.abs(dx)) return dy < 0 ? 'above' : 'below'
  return undefined
}

export function opposite(relation: Relation): Relation {
  const pairs: Readonly<Record<Relation, Relation>> = {
    'left of': 'right of',
    'right of': 'left of',
    above: 'below',
    below: 'above',
  }
  return pairs[relation]
}
