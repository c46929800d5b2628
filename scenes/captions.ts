/** Scene → what people might write under it: short or full, as a list, by places or by relations. */
import { placeOf, relationOf } from './places.ts'
import { type Detail, everything, type Group, groupsOf, indefinite, joined } from './words.ts'
import { pick, type Scene, shuffled } from './world.ts'

/** One caption, drawn by lot. */
export function caption(random: () => number, scene: Scene): string {
  const groups = shuffled(random, groupsOf(scene))
  // Where colours tell scenes apart, an image encoder learns nothing else: half of the captions leave them out.
  const detail: Detail = { colour: random() < 0.5, size: random() < 0.5, pattern: random() < 0.5 }
  const opening = random() < 0.25 ? pick(random, ['a picture of ', 'there is ', 'we see ', 'this shows ']) : ''
  const plural = (groups[0]?.members.length ?? 0) > 1 && opening === 'there is '
  const ending = random() < 0.3 ? ` on a ${scene.background} background` : ''
  return `${plural ? 'there are ' : opening}${body(random, groups, detail)}${ending}`
}

/** Everything that can be said: each group with size, pattern, colour and place, from left to right, and the background. */
export function fullCaption(random: () => number, scene: Scene): string {
  return fullCaptionOf(phrasesOf(random, scene), scene)
}

/** Each group with everything that can be said of it, from left to right. */
export function phrasesOf(random: () => number, scene: Scene): string[] {
  return fromLeftToRight(groupsOf(scene)).map((group) => placed(random, group, everything))
}

export function fullCaptionOf(phrases: readonly string[], { background }: Scene): string {
  return `${joined(phrases)} on a ${background} background`
}

/** What a full caption tells, in one way only: scenes that have it in common cannot be told apart by their captions. */
export function contentOf(scene: Scene): string {
  const phrases = groupsOf(scene).map((group) => placed(() => 0, group, everything))
  return [...phrases.sort(), scene.background].join()
}

function body(random: () => number, groups: readonly Group[], detail: Detail): string {
  const [first, second, ...rest] = groups as [Group, ...Group[]]
  const relation = second && between(first, second)
  const form = random()
  if (relation && form < 0.35) {
    const side = relation.endsWith(' of') && random() < 0.5 ? `to the ${relation}` : relation
    const pair = `${indefinite(random, first, detail)} ${side} ${indefinite(random, second, detail)}`
    return rest.length > 0 && random() < 0.7 ? `${pair} and ${named(random, rest, detail)}` : pair
  }
  if (form < 0.65) return joined(groups.map((group) => placed(random, group, detail)))
  return named(random, groups, detail)
}

function fromLeftToRight(groups: readonly Group[]): Group[] {
  const left = ({ members }: Group) => Math.min(...members.map(({ x }) => x))
  return [...groups].sort((a, b) => left(a) - left(b))
}

function named(random: () => number, groups: readonly Group[], detail: Detail): string {
  return joined(groups.map((group) => indefinite(random, group, detail)))
}

/** With its place, if the things of the group have one in common. */
function placed(random: () => number, group: Group, detail: Detail): string {
  const places = new Set(group.members.map(placeOf))
  const phrase = indefinite(random, group, detail)
  if (places.size > 1) return phrase
  const [place] = [...places] as [string]
  return `${phrase} ${preposition(random, place)} the ${place}`
}

function preposition(random: () => number, place: string): string {
  if (place === 'middle') return 'in'
  if (place === 'left' || place === 'right') return random() < 0.5 ? 'on' : 'at'
  return place.includes(' ') && random() < 0.5 ? 'in' : 'at'
}

function between(a: Group, b: Group) {
  const [thing, other] = [a.members[0], b.members[0]]
  const single = a.members.length === 1 && b.members.length === 1
  return single && thing && other ? relationOf(thing, other) : undefined
}
