import assert from 'node:assert/strict'
import { test } from 'node:test'
import { caption, contentOf, fullCaption } from '../../scenes/captions.ts'
import { drawScene, type Scene, type Thing } from '../../scenes/world.ts'
import { randomFor } from '../../src/random.ts'
import { assertTrueOf } from './naive.ts'

const scenes = Array.from({ length: 1500 }, (_, i) => drawScene(21, i % 5 === 0 ? 'novel' : 'test', i))

test('what a caption says is so', () => {
  for (const scene of scenes)
    for (let i = 0; i < 3; i++) assertTrueOf(scene, caption(randomFor(`${scene.id} ${i}`), scene))
})

test('a full caption speaks of every thing and of the background', () => {
  for (const scene of scenes) {
    const text = fullCaption(randomFor(scene.id), scene)
    assert.equal(assertTrueOf(scene, text), scene.things.length, text)
    assert.match(text, new RegExp(`on a ${scene.background} background$`))
  }
})

test('the same thing is said in many ways', () => {
  for (const scene of scenes.slice(0, 50)) {
    const texts = Array.from({ length: 30 }, (_, i) => caption(randomFor(`${i}`), scene))
    assert.ok(new Set(texts).size > 8, [...new Set(texts)].join('\n'))
  }
})

const thing: Thing = {
  shape: 'circle',
  colour: 'orange',
  pattern: 'plain',
  size: 'small',
  x: 0.2,
  y: 0.2,
  radius: 0.1,
  angle: 0,
}
const scene: Scene = {
  id: 'test',
  background: 'grey',
  shade: { strength: 0, angle: 0 },
  noise: 0,
  things: [
    thing,
    { ...thing, shape: 'cross', colour: 'red', x: 0.8 },
    { ...thing, shape: 'cross', colour: 'red', x: 0.8, y: 0.8 },
    { ...thing, shape: 'square', pattern: 'dotted', size: 'large', x: 0.5, y: 0.8 },
  ],
}

test('words: articles, plurals, places of groups that have one in common', () => {
  assert.equal(
    fullCaption(() => 0, scene),
    'a small orange circle in the top left, a large dotted orange square at the bottom and two small red crosses on a grey background',
  )
  assert.equal(
    fullCaption(() => 0.9, { ...scene, things: scene.things.slice(0, 3) }),
    'a little orange disc at the top left and two little red pluses on a grey background',
  )
  const middle = { ...thing, x: 0.5, y: 0.5 }
  assert.equal(
    fullCaption(() => 0, { ...scene, things: [middle] }),
    'a small orange circle in the middle on a grey background',
  )
  const left = { ...thing, y: 0.5 }
  assert.equal(
    fullCaption(() => 0, { ...scene, things: [left] }),
    'a small orange circle on the left on a grey background',
  )
})

test('scenes with the same content are those that no full caption tells apart', () => {
  const same = { ...scene, id: 'other', noise: 9, things: scene.things.toReversed() }
  assert.equal(contentOf(scene), contentOf(same))
  for (const change of [
    { background: 'white' } as const,
    { things: scene.things.slice(1) },
    { things: [{ ...thing, size: 'large' } as const, ...scene.things.slice(1)] },
    { things: [{ ...thing, x: 0.5 }, ...scene.things.slice(1)] },
  ])
    assert.notEqual(contentOf(scene), contentOf({ ...scene, ...change }))
})
