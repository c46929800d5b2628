/** Scene → pixels. Each thing is a distance to its outline, so edges are smooth at any size and the picture is the same everywhere. */
import { randomFor } from '../src/random.ts'
import type { Background, Colour, Pattern, Scene, Shape, Thing } from './world.ts'

type Rgb = readonly [number, number, number]

const inks: Readonly<Record<Colour, Rgb>> = {
  red: [214, 39, 40],
  orange: [255, 140, 0],
  yellow: [250, 215, 40],
  green: [34, 145, 60],
  blue: [35, 90, 215],
  purple: [125, 45, 165],
  pink: [255, 130, 185],
  brown: [120, 72, 30],
}

const papers: Readonly<Record<Background, Rgb>> = {
  white: [245, 245, 245],
  grey: [150, 150, 150],
  mint: [185, 230, 205],
  beige: [225, 205, 165],
}

/** Square RGB image, one byte a channel, row by row. */
export interface Picture {
  readonly width: number
  readonly height: number
  readonly data: Uint8Array
}

export function drawPicture(scene: Scene, side: number): Picture {
  const light = new Float32Array(side * side * 3)
  paintBackground(light, side, scene)
  for (const thing of scene.things) paintThing(light, side, thing)
  const random = randomFor(`noise:${scene.id}`)
  const data = Uint8Array.from(light, (value) => {
    // The sum of three uniform numbers is close enough to a normal one, of standard deviation 1/2.
    const noise = 2 * scene.noise * (random() + random() + random() - 1.5)
    return Math.min(Math.max(Math.round(value + noise), 0), 255)
  })
  return { width: side, height: side, data }
}

function paintBackground(light: Float32Array, side: number, { background, shade }: Scene): void {
  const paper = papers[background]
  const [dx, dy] = [Math.cos(shade.angle), Math.sin(shade.angle)]
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const along = (dx * (column + 0.5 - side / 2) + dy * (row + 0.5 - side / 2)) / side
      for (let c = 0; c < 3; c++) light[(row * side + column) * 3 + c] = paper[c]! * (1 + shade.strength * along)
    }
  }
}

function paintThing(light: Float32Array, side: number, thing: Thing): void {
  const ink = inks[thing.colour]
  const reach = thing.radius * 1.25 + line
  const first = (centre: number) => Math.max(Math.floor((centre - reach) * side), 0)
  const last = (centre: number) => Math.min(Math.ceil((centre + reach) * side), side)
  const [cos, sin] = [Math.cos(thing.angle), Math.sin(thing.angle)]
  for (let row = first(thing.y); row < last(thing.y); row++) {
    for (let column = first(thing.x); column < last(thing.x); column++) {
      const dx = (column + 0.5) / side - thing.x
      const dy = (row + 0.5) / side - thing.y
      // In the thing's own frame, where its radius is 1.
      const u = (cos * dx + sin * dy) / thing.radius
      const v = (cos * dy - sin * dx) / thing.radius
      const distance = outlines[thing.shape](u, v) * thing.radius * side
      const outlined = coverOf(distance - line * side)
      if (outlined === 0) continue
      const inked = coverOf(distance)
      const tone = isPale(thing.pattern, u, v, thing.radius) ? 0.7 : 0
      for (let c = 0; c < 3; c++) {
        const at = (row * side + column) * 3 + c
        const paint = ink[c]! + tone * (255 - ink[c]!)
        const behind = light[at]! + outlined * (pencil - light[at]!)
        light[at] = behind + inked * (paint - behind)
      }
    }
  }
}

/** Width of the line around each thing, and grain of the patterns, as parts of the picture's side. */
const [line, grain] = [0.02, 0.085]

/** Brightness of that line: the same around every thing, as in a picture book, so that a shape looks alike in every colour. */
const pencil = 25

/** How much of a pixel lies inside, of which the centre is so many pixels outside. */
function coverOf(distance: number): number {
  return Math.min(Math.max(0.5 - distance, 0), 1)
}

/** Whether the pattern leaves this point pale. */
function isPale(pattern: Pattern, u: number, v: number, radius: number): boolean {
  const [x, y] = [(u * radius) / grain, (v * radius) / grain]
  const odd = (value: number) => Math.abs(Math.floor(value)) % 2 === 1
  switch (pattern) {
    case 'plain':
      return false
    case 'striped':
      return odd(y * 1.5 + 0.5)
    case 'checked':
      return odd(x) !== odd(y)
    case 'dotted':
      return Math.hypot(x - Math.round(x), y - Math.round(y)) < 0.32
  }
}

/** Signed distance to the outline of each shape, negative inside; corners reach 1.16 from the centre. */
const outlines: Readonly<Record<Shape, (x: number, y: number) => number>> = {
  circle: (x, y) => Math.hypot(x, y) - 0.95,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) - 0.8,
  triangle: (x, y) => Math.max(y - 0.65, 0.866 * Math.abs(x) - 0.5 * y - 0.5),
  cross(x, y) {
    const [a, b] = [Math.abs(x), Math.abs(y)]
    return Math.max(Math.min(a, b) - 0.3, Math.max(a, b) - 0.95)
  },
  star(x, y) {
    // One of the five points, which the others repeat.
    const turn = (2 * Math.PI) / 5
    const angle = Math.atan2(x, -y)
    const folded = Math.abs(angle - turn * Math.round(angle / turn))
    const r = Math.hypot(x, y)
    const [px, py] = [r * Math.sin(folded), r * Math.cos(folded)]
    const [qx, qy] = [0.47 * Math.sin(turn / 2), 0.47 * Math.cos(turn / 2)]
    return ((py - 1) * (qx - 0) - (px - 0) * (qy - 1)) / Math.hypot(qx, qy - 1)
  },
  heart(x, y) {
    const [a, b] = [Math.abs(x), 0.15 - y]
    // Two lobes, the point whose sides touch them at b = 0.015, and what is between the three.
    const lobe = Math.hypot(a - 0.45, b - 0.35) - 0.5
    const point = Math.max((a - 0.9 * b - 0.8075) / Math.hypot(1, 0.9), b - 0.015)
    const between = Math.max(a - 0.45, Math.abs(b - 0.175) - 0.175)
    return Math.min(lobe, point, between)
  },
}
