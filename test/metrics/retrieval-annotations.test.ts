/** Layouts: LAVIS's coco_karpathy_test.json and flickr30k_test.json; COCO's captions_val2014.json. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DataError } from '../../src/errors.ts'
import { readRetrievalTexts } from '../../src/metrics/retrieval/annotations.ts'

const read = (content: unknown) => readRetrievalTexts({ name: 'F.json', content })

test('a list of texts', () => {
  assert.deepEqual(read(['a dog', 'A cat.']), { texts: ['a dog', 'A cat.'], named: undefined })
  assert.deepEqual(read([]).texts, [])
})

const expected = {
  texts: ['a dog', 'some dog', 'a cat'],
  named: {
    images: ['val2014/1.jpg', 'val2014/2.jpg'],
    pairs: { textsOfImages: [[0, 1], [2]], imageOfTexts: [0, 0, 1] },
  },
}

test('a Karpathy split of LAVIS', () => {
  const split = [
    { image: 'val2014/1.jpg', caption: ['a dog', 'some dog'] },
    { image: 'val2014/2.jpg', caption: ['a cat'] },
  ]
  assert.deepEqual(read(split), expected)
})

test('COCO captions, in any order', () => {
  const images = [
    { id: 7, file_name: 'val2014/1.jpg' },
    { id: 3, file_name: 'val2014/2.jpg' },
  ]
  const annotations = [
    { image_id: 7, caption: 'a dog' },
    { image_id: 3, caption: 'a cat' },
    { image_id: 7, caption: 'some dog' },
  ]
  assert.deepEqual(read({ images, annotations }), expected)
})

test('what is odd is named', () => {
  const image = { id: 1, file_name: 'a.jpg' }
  const wrong: readonly [unknown, RegExp][] = [
    [7, /^F\.json: expected an object, found 7/],
    [{ images: [image] }, /^F\.json: annotations: expected a list, found nothing/],
    [
      { images: [image], annotations: [{ image_id: 2, caption: 'x' }] },
      /annotations\[0\]: image 2 is not among the images/,
    ],
    [{ images: [image], annotations: [] }, /image "a\.jpg" has no caption/],
    [{ images: [image, image], annotations: [] }, /images\[1\]: image 1 is there twice/],
    [[{ image: 'a.jpg', caption: 'one text' }], /F\.json\[0\]\.caption: expected a list, found "one text"/],
    [
      [
        { image: 'a.jpg', caption: ['x'] },
        { image: 'a.jpg', caption: ['y'] },
      ],
      /image "a\.jpg" is there twice/,
    ],
    [[{ caption: ['x'] }], /F\.json\[0\]\.image: expected a text, found nothing/],
    [['x', ' '], /F\.json\[1\]: the text is empty/],
    [['x', 3], /F\.json\[1\]: expected a text, found 3/],
  ]
  for (const [content, message] of wrong) {
    assert.throws(
      () => read(content),
      (error: Error) => error instanceof DataError && message.test(error.message),
      `${message}`,
    )
  }
})
