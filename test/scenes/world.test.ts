import assert from 'node:assert/strict'
import { test } from 'node:test'
import { colours, drawScene, isHeldOut, patterns, type Scene, shapes, showsPattern, sizes } from '../../scenes/world.ts'

const scenes = (split: 'train' | 'test' | 'novel', count = 2000) =>
  Array.from({ length: count }, (_, i) => drawScene(7, split, i))
const [train, tested, novel] = [scenes('train'), scenes('test'), scenes('novel')]

test('a seed and a number give one scene; other ones others', () => {
  assert.deepEqual(drawScene(7, 'train', 3), train[3])
  const texts = [...train, ...tested, ...novel, drawScene(8, 'train', 3)].map(({ things }) => JSON.stringify(things))
  assert.equal(new Set(texts).size, texts.length)
})

test('one colour of each shape, and at most one shape of each colour, is held out', () => {
  const heldOut = shapes.flatMap((shape) =>
    colours.filter((colour) => isHeldOut({ shape, colour })).map((colour) => [shape, colour]),
  )
  assert.deepEqual(
    heldOut.map(([shape]) => shape),
    shapes,
  )
  assert.equal(new Set(heldOut.map(([, colour]) => colour)).size, shapes.length)
})

test('held-out combinations: none in training and test scenes, one in each novel scene', () => {
  for (const { id, things } of [...train, ...tested]) assert.ok(!things.some(isHeldOut), id)
  for (const { id, things } of novel) {
    const kinds = new Set(things.filter(isHeldOut).map(({ shape, colour }) => `${colour} ${shape}`))
    assert.equal(kinds.size, 1, id)
  }
  // All that may occur do.
  const seen = (some: readonly Scene[]) =>
    new Set(some.flatMap(({ things }) => things.map(({ shape, colour }) => `${colour} ${shape}`)))
  assert.equal(seen(train).size, 42)
  assert.equal(seen(novel).size, 48)
})

test('one to four things inside the picture, that hide at most a part of each other', () => {
  let near = 0
  for (const { id, things } of [...train, ...novel]) {
    assert.ok(things.length >= 1 && things.length <= 4, id)
    for (const [i, a] of things.entries()) {
      for (const value of [a.x, a.y]) assert.ok(value >= a.radius && value <= 1 - a.radius, id)
      assert.ok(a.size === 'large' ? a.radius >= 0.18 && a.radius <= 0.22 : a.radius >= 0.11 && a.radius <= 0.13)
      for (const b of things.slice(i + 1)) {
        const distance = Math.hypot(a.x - b.x, a.y - b.y) / (a.radius + b.radius)
        assert.ok(distance > 0.75, `${id}: ${distance}`)
        if (distance < 0.95) near++
      }
    }
  }
  assert.ok(near > 100, `${near} pairs overlap`)
})

test('every property comes often, and a pattern only where it can be seen', () => {
  const things = train.flatMap((scene) => scene.things)
  const share = (of: (thing: (typeof things)[number]) => boolean) => things.filter(of).length / things.length
  for (const shape of shapes) assert.ok(share((thing) => thing.shape === shape) > 0.08, shape)
  for (const colour of colours) assert.ok(share((thing) => thing.colour === colour) > 0.08, colour)
  for (const size of sizes) assert.ok(share((thing) => thing.size === size) > 0.4, size)
  for (const pattern of patterns) assert.ok(share((thing) => thing.pattern === pattern) > 0.05, pattern)
  for (const thing of things) assert.ok(thing.pattern === 'plain' || showsPattern(thing))
  const numbers = [1, 2, 3, 4].map((number) => train.filter((scene) => scene.things.length === number).length)
  for (const count of numbers) assert.ok(count > 0.08 * train.length, `${numbers}`)
})
