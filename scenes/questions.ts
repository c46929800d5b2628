/** Scene → questions of many kinds, each with its one answer. */
import { clearPlaceOf, liesTowards, relationOf, relations } from './places.ts'
import { bare, definite, nameOf, nounOf, withArticle } from './words.ts'
import { colours, isHeldOut, type Kind, pick, type Scene, shapes, showsPattern, type Thing } from './world.ts'

export const questionKinds = [
  'colour',
  'shape',
  'pattern',
  'number',
  'where',
  'exists',
  'relation',
  'beside',
  'larger',
  'more',
] as const
export type QuestionKind = (typeof questionKinds)[number]

export interface Question {
  readonly kind: QuestionKind
  readonly question: string
  readonly answer: string
}

/** A question of this kind, or undefined where the scene has nothing to ask it about. */
export function askAbout(random: () => number, scene: Scene, kind: QuestionKind): Question | undefined {
  const found = questions[kind](random, scene)
  return found && { kind, question: found[0], answer: found[1] }
}

type Asked = readonly [question: string, answer: string] | undefined

const questions: Readonly<Record<QuestionKind, (random: () => number, scene: Scene) => Asked>> = {
  colour(random, { things }) {
    const thing = pick(random, things)
    const same = things.filter(({ shape }) => shape === thing.shape)
    if (same.some(({ colour }) => colour !== thing.colour)) return undefined
    const plural = same.length > 1
    return [`what colour ${plural ? 'are' : 'is'} the ${nounOf(random, thing.shape, plural)}?`, thing.colour]
  },

  shape(random, { things }) {
    const thing = pick(random, things)
    const same = things.filter(({ colour }) => colour === thing.colour)
    if (same.length > 1) return undefined
    return [`what is the ${thing.colour} thing?`, nameOf(thing.shape)]
  },

  pattern(random, scene) {
    const shown = scene.things.filter(showsPattern)
    if (shown.length === 0) return undefined
    const thing = pick(random, shown)
    const named = definite(random, thing, scene)
    return named === undefined ? undefined : [`what pattern has ${named}?`, thing.pattern]
  },

  number(random, { things }) {
    const form = random()
    if (form < 0.2) return ['how many things are there?', String(things.length)]
    const kind = random() < 0.85 ? pick(random, things) : { shape: pick(random, shapes), colour: pick(random, colours) }
    if (form < 0.6) {
      const count = things.filter(({ shape }) => shape === kind.shape).length
      return [`how many ${nounOf(random, kind.shape, true)} are there?`, String(count)]
    }
    const count = things.filter(({ colour }) => colour === kind.colour).length
    return [`how many ${kind.colour} things are there?`, String(count)]
  },

  where(random, scene) {
    const thing = pick(random, scene.things)
    const [named, place] = [definite(random, thing, scene), clearPlaceOf(thing)]
    return named === undefined || place === undefined ? undefined : [`where is ${named}?`, place]
  },

  exists(random, { things }) {
    const there = random() < 0.5
    const phrase = pick(random, [shapeThatIs, colourThatIs, kindThatIs])(random, things, there)
    return [`is there ${withArticle(phrase)}?`, there ? 'yes' : 'no']
  },

  relation(random, scene) {
    const [a, b] = twoOf(random, scene.things)
    const relation = pick(random, relations)
    const so = a && b && liesTowards(a, b, relation)
    if (!a || !b || so === undefined) return undefined
    const [first, second] = [definite(random, a, scene), definite(random, b, scene)]
    if (first === undefined || second === undefined) return undefined
    return [`is ${first} ${relation} ${second}?`, so ? 'yes' : 'no']
  },

  beside(random, scene) {
    const thing = pick(random, scene.things)
    const named = definite(random, thing, scene)
    const relation = pick(random, relations)
    const others = scene.things.filter((other) => other !== thing)
    const there = others.filter((other) => relationOf(other, thing) === relation)
    // Nothing else may lie there, not even by half.
    const unclear = others.some((other) => relationOf(other, thing) === undefined)
    if (named === undefined || there.length !== 1 || unclear) return undefined
    return [`what is ${relation} ${named}?`, nameOf((there[0] as Thing).shape)]
  },

  larger(random, scene) {
    const [a, b] = twoOf(random, scene.things)
    if (!a || !b || a.size === b.size) return undefined
    // Not by their sizes, which would tell the answer.
    const [first, second] = [definite(random, a, scene, false), definite(random, b, scene, false)]
    if (first === undefined || second === undefined) return undefined
    return [`is ${first} larger than ${second}?`, a.size === 'large' ? 'yes' : 'no']
  },

  more(random, { things }) {
    const [a, b] = twoOf(random, [...new Set(things.map(({ shape }) => shape))])
    if (!a || !b) return undefined
    const count = (shape: Kind['shape']) => things.filter((thing) => thing.shape === shape).length
    if (count(a) === count(b)) return undefined
    const [first, second] = [nounOf(random, a, true), nounOf(random, b, true)]
    return [`are there more ${first} than ${second}?`, count(a) > count(b) ? 'yes' : 'no']
  },
}

/** A shape that is there, or one that is not. */
function shapeThatIs(random: () => number, things: readonly Thing[], there: boolean): string {
  const choices = shapes.filter((shape) => things.some((thing) => thing.shape === shape) === there)
  return nounOf(random, pick(random, choices))
}

function colourThatIs(random: () => number, things: readonly Thing[], there: boolean): string {
  const choices = colours.filter((colour) => things.some((thing) => thing.colour === colour) === there)
  return `${pick(random, choices)} thing`
}

function kindThatIs(random: () => number, things: readonly Thing[], there: boolean): string {
  const kind = there ? pick(random, things) : nearMiss(random, things)
  return bare(random, kind, { colour: true, size: false, pattern: false })
}

/**
 * A kind that is not there, though its shape or its colour is: "no" must not be told by one of them alone. Held-out combinations are
 * asked about only beside one, or a model would learn that they never are there.
 */
function nearMiss(random: () => number, things: readonly Thing[]): Kind {
  const thing = pick(random, things)
  const kinds =
    random() < 0.5 ? colours.map((colour) => ({ ...thing, colour })) : shapes.map((shape) => ({ ...thing, shape }))
  const isThere = (kind: Kind) => things.some(({ shape, colour }) => shape === kind.shape && colour === kind.colour)
  const mayAsk = (kind: Kind) => !isHeldOut(kind) || things.some(isHeldOut)
  return pick(
    random,
    kinds.filter((kind) => !isThere(kind) && mayAsk(kind)),
  )
}

function twoOf<T>(random: () => number, items: readonly T[]): [T, T] | [] {
  if (items.length < 2) return []
  const first = pick(random, items)
  const second = pick(
    random,
    items.filter((item) => item !== first),
  )
  return [first, second]
}
