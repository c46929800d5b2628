import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DataError } from '../../src/errors.ts'
import { imagePath } from '../../src/evaluation/image-path.ts'

test('ids, with zeros in front, and file names', () => {
  const image = { id: 391895, file: 'val2014/COCO_val2014_000000391895.jpg' }
  assert.equal(imagePath('coco/{file}', image, ''), 'coco/val2014/COCO_val2014_000000391895.jpg')
  assert.equal(imagePath('coco/val2014/COCO_val2014_{id:12}.jpg', image, ''), `coco/${image.file}`)
  assert.equal(imagePath('gqa/images/{id}.jpg', { id: 'n161313' }, ''), 'gqa/images/n161313.jpg')
  assert.equal(imagePath('{id:2}/{id:4}', { id: 123 }, ''), '123/0123')
})

test('a file name that the annotations do not have', () => {
  assert.throws(
    () => imagePath('coco/{file}', { id: 1 }, 'a.json: image 1'),
    (error) =>
      error instanceof DataError &&
      /^a\.json: image 1: expected the image's file name.*found none$/.test(error.message),
  )
})
