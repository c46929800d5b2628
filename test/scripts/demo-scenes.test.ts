/** examples/demo/scenes is what scripts/make-demo.ts would write now. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { contentOf } from '../../scenes/captions.ts'
import { drawPicture } from '../../scenes/draw.ts'
import { demoScenes } from '../../scripts/demo-scenes.ts'
import { decodeImage } from '../../src/images/node.ts'
import { repositoryRoot } from '../support/paths.ts'

const demo = join(repositoryRoot, 'examples', 'demo')

test('the pictures are of their scenes', async () => {
  for (const { file, scene } of demoScenes) {
    const { width, height, data } = await decodeImage(join(demo, 'scenes', file))
    assert.deepEqual({ width, height, data }, drawPicture(scene, 64), file)
  }
})

test('the texts are theirs, and short enough to be read whole (35 tokens in retrieval)', () => {
  const texts = demoScenes.map(({ text }) => text)
  assert.equal(readFileSync(join(demo, 'scenes.txt'), 'utf8'), `${texts.join('\n')}\n`)
  for (const text of texts) assert.ok(text.match(/\w+|[^\w\s]/g)!.length + 2 <= 35, text)
})

test('what scripts/demo.ts asks and says about the third one rests on this', () => {
  assert.equal(
    contentOf(demoScenes[2]!.scene),
    'a large dotted yellow circle in the bottom right,a small green square in the bottom left,a small purple cross in the top left,beige',
  )
})
