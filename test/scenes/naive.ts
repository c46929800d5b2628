/** What texts about scenes mean, written down once more and without the generator's own rules, to check it against. */
import assert from 'node:assert/strict'
import type { Scene, Thing } from '../../scenes/world.ts'

const nouns: Record<string, string> = {
  circle: 'circle',
  disc: 'circle',
  square: 'square',
  triangle: 'triangle',
  star: 'star',
  heart: 'heart',
  cross: 'cross',
  plus: 'cross',
}
const sizes: Record<string, string> = { small: 'small', little: 'small', large: 'large', big: 'large' }
const patterns: Record<string, string> = { dotted: 'dotted', spotted: 'dotted', striped: 'striped', checked: 'checked' }
const counts: Record<string, number> = { a: 1, an: 1, the: 1, one: 1, two: 2, three: 3, four: 4 }

/** What a phrase such as `three small red discs` says. `thing` and `things` are of any shape. */
export interface Meaning {
  readonly count: number
  readonly matches: (thing: Thing) => boolean
}

export function meaningOf(phrase: string): Meaning {
  const words = phrase.split(' ')
  const count = counts[words[0] as string]
  if (count !== undefined) words.shift()
  const last = words.pop() as string
  const noun = nouns[last] ?? nouns[last.replace(/s$/, '')] ?? nouns[last.replace(/es$/, '')]
  assert.ok(noun !== undefined || last === 'thing' || last === 'things', `what is a ${last}? (${phrase})`)
  const wanted: Partial<Record<'size' | 'pattern' | 'colour', string>> = {}
  for (const word of words) {
    if (sizes[word]) wanted.size = sizes[word]
    else if (patterns[word]) wanted.pattern = patterns[word]
    else wanted.colour = word
  }
  return {
    count: count ?? 1,
    matches: (thing) =>
      (noun === undefined || thing.shape === noun) &&
      (wanted.size === undefined || thing.size === wanted.size) &&
      (wanted.pattern === undefined || thing.pattern === wanted.pattern) &&
      (wanted.colour === undefined || thing.colour === wanted.colour),
  }
}

/** The one thing of that name. */
function named(scene: Scene, phrase: string): Thing {
  const found = scene.things.filter(meaningOf(phrase).matches)
  assert.equal(found.length, 1, `${found.length} things are ${phrase}`)
  return found[0] as Thing
}

function all(scene: Scene, phrase: string): Thing[] {
  return scene.things.filter(meaningOf(phrase).matches)
}

/** Whether a lies on that side of b rather than on any other. */
export function lies(a: Thing, relation: string, b: Thing): boolean {
  const [dx, dy] = [a.x - b.x, a.y - b.y]
  const across = Math.abs(dx) > Math.abs(dy)
  switch (relation) {
    case 'left of':
      return across && dx < 0
    case 'right of':
      return across && dx > 0
    case 'above':
      return !across && dy < 0
    case 'below':
      return !across && dy > 0
  }
  throw new Error(relation)
}

/** Which part of the picture a thing is in, down and across. */
function placeIn({ x, y }: Thing): string {
  const part = (value: number, low: string, high: string) => (value < 0.4 ? low : value > 0.6 ? high : '')
  const words = [part(y, 'top', 'bottom'), part(x, 'left', 'right')]
  return words.filter((word) => word !== '').join(' ') || 'middle'
}

/** Whether a lies further that way than b. */
function liesFurther(a: Thing, relation: string, b: Thing): boolean {
  const along = ({ x, y }: Thing) => ({ 'left of': -x, 'right of': x, above: -y, below: y })[relation] as number
  return along(a) > along(b)
}

const relations = 'left of|right of|above|below'
const yesNo = (value: boolean) => (value ? 'yes' : 'no')

const forms: readonly (readonly [RegExp, (scene: Scene, ...parts: string[]) => string])[] = [
  [/^what colour (?:is|are) the (.+)\?$/, (scene, what) => only(all(scene, what).map(({ colour }) => colour))],
  [/^what is (the \w+ thing)\?$/, (scene, what) => named(scene, what).shape],
  [/^what pattern has (the .+)\?$/, (scene, what) => named(scene, what).pattern],
  [/^how many (.+) are there\?$/, (scene, what) => String(all(scene, what).length)],
  [/^where is (the .+)\?$/, (scene, what) => placeIn(named(scene, what))],
  [/^is there (an? .+)\?$/, (scene, what) => yesNo(all(scene, what).length > 0)],
  [
    new RegExp(`^is (the .+) (${relations}) (the .+)\\?$`),
    (scene, a, relation, b) => yesNo(liesFurther(named(scene, a), relation, named(scene, b))),
  ],
  [
    new RegExp(`^what is (${relations}) (the .+)\\?$`),
    (scene, relation, what) => {
      const thing = named(scene, what)
      return only(
        scene.things.filter((other) => other !== thing && lies(other, relation, thing)).map(({ shape }) => shape),
      )
    },
  ],
  [/^is (the .+) larger than (the .+)\?$/, (scene, a, b) => yesNo(named(scene, a).radius > named(scene, b).radius)],
  [/^are there more (.+) than (.+)\?$/, (scene, a, b) => yesNo(all(scene, a).length > all(scene, b).length)],
]

function only(values: readonly string[]): string {
  assert.equal(new Set(values).size, 1, values.join())
  return values[0] as string
}

/** The answer to a question; throws for one that is not understood, or has no one answer. */
export function naiveAnswer(scene: Scene, question: string): string {
  for (const [form, answer] of forms) {
    const parts = form.exec(question)
    if (parts) return answer(scene, ...parts.slice(1))
  }
  throw new Error(`not understood: ${question}`)
}

const placeBounds: Record<string, (thing: Thing) => boolean> = {
  left: ({ x }) => x < 0.4,
  right: ({ x }) => x > 0.6,
  top: ({ y }) => y < 0.4,
  bottom: ({ y }) => y > 0.6,
  middle: ({ x, y }) => Math.max(Math.abs(x - 0.5), Math.abs(y - 0.5)) < 0.15,
}

/** Whether what a caption says is so, each phrase of its own things. Returns how many things it speaks of. */
export function assertTrueOf(scene: Scene, caption: string): number {
  const background = / on a (\w+) background$/.exec(caption)
  if (background) assert.equal(background[1], scene.background)
  const text = caption
    .replace(/ on a \w+ background$/, '')
    .replace(/^(?:a picture of|there is|there are|we see|this shows) /, '')
  let spoken = 0
  for (const part of text.split(/, | and /)) {
    const [, first, relation, second] = new RegExp(`^(.+?) (?:to the )?(${relations}) (.+)$`).exec(part) ?? [part, part]
    const phrases = [first, second].filter((phrase) => phrase !== undefined)
    const groups = phrases.map((phrase) => {
      const [, what, places = ''] = /^(.+?)(?: (?:in|on|at) the (.+))?$/.exec(phrase) as unknown as [
        string,
        string,
        string?,
      ]
      const { count, matches } = meaningOf(what)
      const found = scene.things.filter(
        (thing) => matches(thing) && places.split(' ').every((place) => place === '' || placeBounds[place]?.(thing)),
      )
      assert.ok(found.length >= count, `"${phrase}" in: ${caption}`)
      spoken += count
      return found
    })
    if (relation !== undefined) {
      const [a, b] = groups as [Thing[], Thing[]]
      assert.ok(
        a.some((one) => b.some((other) => lies(one, relation, other))),
        `"${part}" in: ${caption}`,
      )
    }
  }
  return spoken
}
