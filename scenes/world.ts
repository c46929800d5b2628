/**
 * A world of drawn scenes: what there is, and how a scene is drawn by lot. Everything follows from a seed. Some combinations of shape
 * and colour occur in no training scene: whoever names them has understood the parts.
 */
import { randomFor } from '../src/random.ts'

export const shapes = ['circle', 'square', 'triangle', 'star', 'heart', 'cross'] as const
export const colours = ['red', 'orange', 'yellow', 'green', 'blue', 'purple', 'pink', 'brown'] as const
export const patterns = ['plain', 'striped', 'dotted', 'checked'] as const
export const sizes = ['small', 'large'] as const
export const backgrounds = ['white', 'grey', 'mint', 'beige'] as const

export type Shape = (typeof shapes)[number]
export type Colour = (typeof colours)[number]
export type Pattern = (typeof patterns)[number]
export type Size = (typeof sizes)[number]
export type Background = (typeof backgrounds)[number]

/** What things of a group have in common. */
export interface Kind {
  readonly shape: Shape
  readonly colour: Colour
  readonly pattern: Pattern
  readonly size: Size
}

/** Lengths are parts of the picture's side; y grows downwards. */
export interface Thing extends Kind {
  readonly x: number
  readonly y: number
  readonly radius: number
  /** Radians. */
  readonly angle: number
}

export interface Scene {
  /** Seed and number, from which all of it follows. */
  readonly id: string
  readonly background: Background
  /** Brightness from edge to edge, and its direction in radians. */
  readonly shade: { readonly strength: number; readonly angle: number }
  /** Standard deviation of the noise, of 255. */
  readonly noise: number
  /** Later ones lie in front. */
  readonly things: readonly Thing[]
}

/** Training scenes have none of the held-out combinations; every `novel` scene has one, and `test` scenes are as the training ones. */
export type Split = 'train' | 'test' | 'novel'

/** Shape and colour that occur together in novel scenes only: one colour of each shape. */
export function isHeldOut({ shape, colour }: Pick<Kind, 'shape' | 'colour'>): boolean {
  return (3 * shapes.indexOf(shape) + colours.indexOf(colour)) % 8 === 5
}

/** Whether a pattern could be told from another on such a thing, which must be neither small nor thin. */
export function showsPattern({ shape, size }: Pick<Kind, 'shape' | 'size'>): boolean {
  return size === 'large' && shape !== 'cross' && shape !== 'star'
}

export function drawScene(seed: number, split: Split, index: number): Scene {
  const id = `${seed}-${split}-${index}`
  const random = randomFor(`scene:${id}`)
  const kinds = drawKinds(random, split)
  const things = place(random, kinds)
  return {
    id,
    background: pick(random, backgrounds),
    shade: { strength: 0.25 * random(), angle: 2 * Math.PI * random() },
    noise: 12 * random() ** 2,
    things,
  }
}

/** One to four things, of which several may be alike: a single one, a pair of different ones, a group, a group and others. */
function drawKinds(random: () => number, split: Split): Kind[] {
  const groups = random() < 0.15 ? 1 : random() < 0.65 ? 2 : 3
  const kinds: Kind[] = []
  for (let group = 0; group < groups; group++) {
    const kind = drawKind(random, split === 'novel' && group === 0)
    if (kinds.some((other) => other.shape === kind.shape && other.colour === kind.colour)) continue
    const room = 4 - kinds.length - (groups - 1 - group)
    const count = random() < 0.35 ? 1 + Math.floor(random() * room) : 1
    for (let i = 0; i < count; i++) kinds.push(kind)
  }
  return kinds
}

function drawKind(random: () => number, heldOut: boolean): Kind {
  for (;;) {
    const kind = {
      shape: pick(random, shapes),
      colour: pick(random, colours),
      size: pick(random, sizes),
    }
    const pattern = showsPattern(kind) ? pick(random, patterns) : 'plain'
    if (isHeldOut(kind) === heldOut) return { ...kind, pattern }
  }
}

/** Places that hide at most a part of what lies behind. */
function place(random: () => number, kinds: readonly Kind[]): Thing[] {
  for (let attempt = 0; ; attempt++) {
    const things: Thing[] = []
    const closeness = random() < 0.25 ? 0.75 : 1.1
    for (const kind of kinds) {
      const radius = kind.size === 'large' ? 0.18 + 0.04 * random() : 0.11 + 0.02 * random()
      for (let tries = 0; tries < 40; tries++) {
        const x = radius + (1 - 2 * radius) * random()
        const y = radius + (1 - 2 * radius) * random()
        const free = things.every((other) => Math.hypot(x - other.x, y - other.y) > closeness * (radius + other.radius))
        if (!free) continue
        things.push({ ...kind, x, y, radius, angle: tilt(random, kind.shape) })
        break
      }
    }
    if (things.length === kinds.length) return things
    if (attempt > 200) throw new Error('scenes: no room for the things of a scene')
  }
}

/** Squares and crosses look alike again after a quarter of a turn. */
function tilt(random: () => number, shape: Shape): number {
  const most = shape === 'square' || shape === 'cross' ? 0.2 : 0.35
  return most * (2 * random() - 1)
}

export function pick<T>(random: () => number, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)] as T
}

export function shuffled<T>(random: () => number, items: readonly T[]): T[] {
  const order = items.map((item) => ({ item, key: random() }))
  return order.sort((a, b) => a.key - b.key).map(({ item }) => item)
}
