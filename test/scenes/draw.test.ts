import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { drawPicture } from '../../scenes/draw.ts'
import { backgrounds, colours, drawScene, patterns, type Scene, shapes, type Thing } from '../../scenes/world.ts'

const plainScene = (things: readonly Thing[], changes: Partial<Scene> = {}): Scene => ({
  id: 'test',
  background: 'white',
  shade: { strength: 0, angle: 0 },
  noise: 0,
  things,
  ...changes,
})
const circle: Thing = {
  shape: 'circle',
  colour: 'red',
  pattern: 'plain',
  size: 'large',
  x: 0.5,
  y: 0.5,
  radius: 0.2,
  angle: 0,
}

/** Red, green and blue at a place, in parts of the side. */
function at(scene: Scene, x: number, y: number, side = 64): number[] {
  const { data } = drawPicture(scene, side)
  const pixel = (Math.floor(y * side) * side + Math.floor(x * side)) * 3
  return [...data.subarray(pixel, pixel + 3)]
}

test('the same scene, the same bytes', () => {
  // Computed once, here, with Node 20 on x64: they would change with every change to the world, which then is another one.
  const hashes = [0, 1, 2].map((i) =>
    createHash('sha256')
      .update(drawPicture(drawScene(1, 'train', i), 64).data)
      .digest('hex')
      .slice(0, 16),
  )
  assert.deepEqual(hashes, ['2fc8f3eb3be72793', '6c714f2e65c3e5f9', '10ff72da1673f592'])
})

test('paper, ink and size', () => {
  const picture = drawPicture(plainScene([circle]), 40)
  assert.deepEqual([picture.width, picture.height, picture.data.length], [40, 40, 40 * 40 * 3])
  assert.deepEqual(at(plainScene([circle]), 0.5, 0.5), [214, 39, 40])
  assert.deepEqual(at(plainScene([circle]), 0.05, 0.05), [245, 245, 245])
  // The area of a circle of 0.95 · 0.2 of the side: line and paper are as red as they are blue, the ink is redder by 174.
  const { data } = drawPicture(plainScene([circle]), 200)
  const inked = data.filter((value, i) => i % 3 === 0 && value - data[i + 2]! > 87).length
  assert.ok(Math.abs(inked / 200 ** 2 - Math.PI * 0.19 ** 2) < 0.002, `${inked / 200 ** 2}`)
  // And with the line of 0.02 around it, what is not paper.
  const drawn = data.filter((value, i) => i % 3 === 2 && value < 135).length
  assert.ok(Math.abs(drawn / 200 ** 2 - Math.PI * 0.21 ** 2) < 0.002, `${drawn / 200 ** 2}`)
})

test('y grows downwards, and later things lie in front', () => {
  const high = { ...circle, y: 0.25 }
  assert.deepEqual(at(plainScene([high]), 0.5, 0.2), [214, 39, 40])
  assert.deepEqual(at(plainScene([high]), 0.5, 0.8), [245, 245, 245])
  const blue = { ...circle, colour: 'blue', x: 0.6 } as const
  assert.deepEqual(at(plainScene([circle, blue]), 0.55, 0.5), [35, 90, 215])
  assert.deepEqual(at(plainScene([blue, circle]), 0.55, 0.5), [214, 39, 40])
})

test('inks and papers are far enough apart to be told apart, also in pairs', () => {
  const tones = [
    ...colours.map((colour) => at(plainScene([{ ...circle, colour }]), 0.5, 0.5)),
    ...backgrounds.map((background) => at(plainScene([], { background }), 0.5, 0.5)),
  ]
  for (const [i, a] of tones.entries())
    for (const b of tones.slice(i + 1)) {
      const distance = Math.hypot(...a.map((value, c) => value - (b[c] as number)))
      assert.ok(distance > 60, `${a} and ${b}`)
    }
})

test('shapes: where each is and where it is not', () => {
  // In units of the radius from the centre, y downwards: [inside, outside].
  const points: Record<(typeof shapes)[number], [[number, number][], [number, number][]]> = {
    circle: [
      [
        [0, 0],
        [0.6, 0.6],
      ],
      [[0.8, 0.8]],
    ],
    square: [
      [
        [0, 0],
        [0.7, 0.7],
      ],
      [[0.95, 0]],
    ],
    triangle: [
      [
        [0, 0],
        [0.8, 0.55],
        [0, -0.8],
      ],
      [
        [0.7, -0.5],
        [0, 0.8],
      ],
    ],
    cross: [
      [
        [0, 0],
        [0.85, 0],
        [0, -0.85],
      ],
      [[0.6, 0.6]],
    ],
    star: [
      [
        [0, 0],
        [0, -0.85],
      ],
      [
        [0, 0.8],
        [0.6, -0.7],
      ],
    ],
    heart: [
      [
        [0, 0],
        [0.45, -0.3],
        [0, 0.6],
      ],
      [
        [0, -0.75],
        [0.7, 0.6],
      ],
    ],
  }
  for (const shape of shapes) {
    const scene = plainScene([{ ...circle, shape, radius: 0.4 }])
    const [inside, outside] = points[shape]
    for (const [u, v] of inside)
      assert.deepEqual(at(scene, 0.5 + 0.4 * u, 0.5 + 0.4 * v, 200), [214, 39, 40], `${shape} ${u} ${v}`)
    for (const [u, v] of outside)
      assert.deepEqual(at(scene, 0.5 + 0.4 * u, 0.5 + 0.4 * v, 200), [245, 245, 245], `${shape} ${u} ${v}`)
  }
})

test('no part of a shape lies beyond its corners and the line around them, turned or not', () => {
  for (const shape of shapes)
    for (const angle of [0, 0.5, -0.3]) {
      const { data } = drawPicture(plainScene([{ ...circle, shape, angle, radius: 0.3 }]), 100)
      for (let i = 0; i < data.length; i += 3) {
        const [row, column] = [Math.floor(i / 300), (i / 3) % 100]
        const distance = Math.hypot(column + 0.5 - 50, row + 0.5 - 50)
        // The line has sharp corners: at those of a triangle it is twice as wide.
        if (distance > 1.16 * 30 + 2 * 0.02 * 100 + 1) assert.equal(data[i + 1], 245, `${shape} at ${column}, ${row}`)
      }
    }
})

test('a turn turns', () => {
  const square = { ...circle, shape: 'square', radius: 0.4 } as const
  const corner = [0.5 + 0.4 * 0.75, 0.5 + 0.4 * 0.75] as const
  assert.deepEqual(at(plainScene([square]), ...corner, 200), [214, 39, 40])
  assert.deepEqual(at(plainScene([{ ...square, angle: Math.PI / 4 }]), ...corner, 200), [245, 245, 245])
})

test('patterns have two tones inside of the line', () => {
  for (const pattern of patterns) {
    const { data } = drawPicture(plainScene([{ ...circle, pattern }]), 64)
    const tones = new Set<string>()
    for (let i = 0; i < data.length; i += 3) {
      const [row, column] = [Math.floor(i / 192), (i / 3) % 64]
      const distance = Math.hypot(column + 0.5 - 32, row + 0.5 - 32)
      if (distance < 10) tones.add(data.subarray(i, i + 3).join())
      // From 12.16, the circle's own radius, to 13.44; less half a pixel on both sides.
      if (distance > 12.7 && distance < 12.9) assert.equal(data.subarray(i, i + 3).join(), '25,25,25', pattern)
    }
    assert.equal(tones.size, pattern === 'plain' ? 1 : 2, pattern)
  }
})

test('noise has the deviation that the scene says, and shade its strength', () => {
  const { data } = drawPicture(plainScene([], { noise: 8, background: 'grey' }), 100)
  const mean = data.reduce((sum, value) => sum + value, 0) / data.length
  const deviation = Math.sqrt(data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length)
  assert.ok(Math.abs(mean - 150) < 0.3 && Math.abs(deviation - 8) < 0.2, `${mean} ± ${deviation}`)
  const shaded = plainScene([], { background: 'grey', shade: { strength: 0.2, angle: 0 } })
  assert.deepEqual([at(shaded, 0, 0.5)[0], at(shaded, 0.999, 0.5)[0]], [135, 165])
})
