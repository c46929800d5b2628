/** How things are called: one thing by several names, and by as few words as tell it apart. */
import { type Kind, pick, type Scene, type Shape, type Thing } from './world.ts'

/** The name that answers use comes first. */
const nouns: Readonly<Record<Shape, readonly string[]>> = {
  circle: ['circle', 'disc'],
  square: ['square'],
  triangle: ['triangle'],
  star: ['star'],
  heart: ['heart'],
  cross: ['cross', 'plus'],
}
const adjectives = {
  small: ['small', 'little'],
  large: ['large', 'big'],
  plain: ['plain'],
  striped: ['striped'],
  dotted: ['dotted', 'spotted'],
  checked: ['checked'],
} as const

const numbers = ['no', 'one', 'two', 'three', 'four'] as const

/** Which of its properties a phrase names, beside the shape. */
export interface Detail {
  readonly colour: boolean
  readonly size: boolean
  readonly pattern: boolean
}

export const everything: Detail = { colour: true, size: true, pattern: true }

/** Things that are alike. */
export interface Group {
  readonly kind: Kind
  readonly members: readonly Thing[]
}

export function groupsOf({ things }: Scene): Group[] {
  const groups = new Map<string, Thing[]>()
  for (const thing of things) {
    const key = [thing.shape, thing.colour, thing.pattern, thing.size].join()
    groups.set(key, [...(groups.get(key) ?? []), thing])
  }
  return [...groups.values()].map((members) => ({ kind: members[0] as Kind, members }))
}

/** `large striped red circles`: adjectives and noun, without an article. A plain pattern goes without saying. */
export function bare(random: () => number, kind: Kind, detail: Detail, plural = false): string {
  const words = [
    ...(detail.size ? [pick(random, adjectives[kind.size])] : []),
    ...(detail.pattern && kind.pattern !== 'plain' ? [pick(random, adjectives[kind.pattern])] : []),
    ...(detail.colour ? [kind.colour] : []),
    nounOf(random, kind.shape, plural),
  ]
  return words.join(' ')
}

/** `a red circle`, `an orange star`, `three small stars`. */
export function indefinite(random: () => number, { kind, members }: Group, detail: Detail): string {
  if (members.length > 1) return `${numbers[members.length]} ${bare(random, kind, detail, true)}`
  return withArticle(bare(random, kind, detail))
}

/** `the red circle`, with as few words as tell it apart from the others in the scene; undefined when none do. */
export function definite(random: () => number, thing: Thing, scene: Scene, withSize = true): string | undefined {
  const attempts: Detail[] = [
    { colour: false, size: false, pattern: false },
    { colour: true, size: false, pattern: false },
    ...(withSize
      ? [
          { colour: false, size: true, pattern: false },
          { colour: true, size: true, pattern: false },
        ]
      : []),
  ]
  const detail = attempts.find((one) => scene.things.filter((other) => looksAlike(thing, other, one)).length === 1)
  return detail && `the ${bare(random, thing, detail)}`
}

function looksAlike(a: Kind, b: Kind, { colour, size, pattern }: Detail): boolean {
  if (a.shape !== b.shape) return false
  return (!colour || a.colour === b.colour) && (!size || a.size === b.size) && (!pattern || a.pattern === b.pattern)
}

export function nounOf(random: () => number, shape: Shape, plural = false): string {
  return pluralise(pick(random, nouns[shape]), plural)
}

/** The noun that answers use. */
export function nameOf(shape: Shape): string {
  return nouns[shape][0] as string
}

export function pluralise(noun: string, plural = true): string {
  if (!plural) return noun
  return /(s|x)$/.test(noun) ? `${noun}es` : `${noun}s`
}

export function withArticle(phrase: string): string {
  return /^[aeiou]/.test(phrase) ? `an ${phrase}` : `a ${phrase}`
}

export function joined(phrases: readonly string[]): string {
  const last = phrases.at(-1) as string
  return phrases.length === 1 ? last : `${phrases.slice(0, -1).join(', ')} and ${last}`
}
