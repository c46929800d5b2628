/** Expected views follow torchvision 0.14, `RandomResizedCrop.get_params`, worked out by hand. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pixelValues } from '../../src/images/preprocess.ts'
import { resizeBicubic } from '../../src/images/resize.ts'
import type { RgbImage } from '../../src/images/rgb-image.ts'
import { cropped, randomView, type View } from '../../src/images/view.ts'
import { randomFor } from '../../src/random.ts'

/** Gives these numbers one after the other, and fails when there are no more. */
function drawing(...numbers: number[]): () => number {
  return () => {
    assert.ok(numbers.length > 0, 'more numbers drawn than expected')
    return numbers.shift() as number
  }
}

const views = (count: number, width: number, height: number, scale: readonly [number, number]) =>
  Array.from({ length: count }, (_, i) => randomView(randomFor(`view ${i}`), width, height, { scale, mirror: true }))

test('a part is drawn as area, ratio, left and top', () => {
  // Area 0.75 of 100x80 = 6000 pixels, ratio (4/3)^0 = 1: √6000 = 77.46 a side. Left is one of 0 to 23, top of 0 to 3.
  assert.deepEqual(randomView(drawing(0.4, 0.5, 0.5, 0.99, 0.5), 100, 80, { scale: [0.5, 1], mirror: true }), {
    left: 23,
    top: 2,
    width: 77,
    height: 77,
    mirrored: true,
  })
  // Without a mirror no number is drawn for it. Area 0.5, ratio 4/3: √(4000 · 4/3) = 73.0, √(4000 · 3/4) = 54.8.
  assert.deepEqual(randomView(drawing(0, 1, 0, 0), 100, 80, { scale: [0.5, 1], mirror: false }), {
    left: 0,
    top: 0,
    width: 73,
    height: 55,
    mirrored: false,
  })
})

test('what does not fit is drawn again', () => {
  // All of the area with ratio 4/3 is 103 pixels wide; then as above.
  const found = randomView(drawing(1, 1, 0, 1, 0, 0), 100, 80, { scale: [0.5, 1], mirror: false })
  assert.deepEqual(found, { left: 0, top: 0, width: 73, height: 55, mirrored: false })
})

test('after ten that do not fit: the largest part in the middle whose ratio is in the limits', () => {
  const whole = { scale: [1, 1], mirror: false } as const
  for (const [width, height, expected] of [
    [300, 100, { left: 83, top: 0, width: 133, height: 100 }],
    [100, 300, { left: 0, top: 83, width: 100, height: 133 }],
    [120, 100, { left: 0, top: 0, width: 120, height: 100 }],
    [400, 300, { left: 0, top: 0, width: 400, height: 300 }],
    [1000, 1, { left: 499, top: 0, width: 1, height: 1 }],
    [1, 1000, { left: 0, top: 499, width: 1, height: 1 }],
  ] as const) {
    const numbers = Array.from({ length: 10 }, () => [0.5, 0.99]).flat()
    // 120x100: 0.99 of the way to 4/3 is √(12000 · 1.325) = 126 wide; 400x300: 399 x 301. None fits.
    assert.deepEqual(randomView(drawing(...numbers), width, height, whole), { ...expected, mirrored: false })
  }
})

test('areas and ratios stay in the limits, parts inside the picture', () => {
  for (const [width, height] of [
    [640, 480],
    [333, 500],
    [224, 224],
  ] as const) {
    for (const view of views(500, width, height, [0.3, 0.7])) {
      const area = (view.width * view.height) / (width * height)
      // Half a pixel of rounding on each side.
      const slack = (view.width + view.height + 1) / 2 / (width * height)
      assert.ok(area > 0.3 - slack && area < 0.7 + slack, `area ${area}`)
      const ratio = view.width / view.height
      assert.ok(ratio > (3 / 4) * 0.99 && ratio < (4 / 3) * 1.01, `ratio ${ratio}`)
      assert.ok(view.left >= 0 && view.top >= 0, JSON.stringify(view))
      assert.ok(view.left + view.width <= width && view.top + view.height <= height, JSON.stringify(view))
    }
  }
})

test('pictures of one pixel, or one pixel wide', () => {
  for (const [width, height] of [
    [1, 1],
    [1, 2],
    [7, 1],
  ] as const)
    for (const view of views(50, width, height, [0.05, 1])) {
      assert.ok(view.width >= 1 && view.height >= 1)
      assert.ok(view.left + view.width <= width && view.top + view.height <= height)
    }
})

/** Kolmogorov and Smirnov: how far the numbers are from uniform ones in [0, 1]. */
function distance(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return Math.max(...sorted.flatMap((x, i) => [Math.abs(x - i / sorted.length), Math.abs(x - (i + 1) / sorted.length)]))
}

test('area, logarithm of the ratio and place are uniform, half of the views mirrored', () => {
  const count = 4000
  const side = 5000
  // With at most 0.6 of the area every ratio fits, so nothing is drawn again.
  const drawn = views(count, side, side, [0.2, 0.6])
  // Exceeded by one set of uniform numbers in a thousand; these are always the same.
  const limit = 1.95 / Math.sqrt(count)
  const measures: Record<string, (view: View) => number> = {
    area: (view) => ((view.width * view.height) / side ** 2 - 0.2) / 0.4,
    ratio: (view) => Math.log((view.width / view.height) * (4 / 3)) / Math.log(16 / 9),
    left: (view) => (view.left + 0.5) / (side - view.width + 1),
    top: (view) => (view.top + 0.5) / (side - view.height + 1),
  }
  for (const [name, measure] of Object.entries(measures)) {
    const found = distance(drawn.map(measure))
    assert.ok(found < limit, `${name}: ${found}, limit ${limit}`)
  }
  const mirrored = drawn.filter((view) => view.mirrored).length
  assert.ok(Math.abs(mirrored - count / 2) < 2 * Math.sqrt(count), `${mirrored} mirrored`) // four standard deviations
})

test('without a scale all of the picture is shown, whatever its ratio', () => {
  const view = { left: 0, top: 0, width: 500, height: 20 }
  assert.deepEqual(randomView(drawing(), 500, 20, { mirror: false }), { ...view, mirrored: false })
  assert.deepEqual(randomView(drawing(0.49), 500, 20, { mirror: true }), { ...view, mirrored: true })
  assert.deepEqual(randomView(drawing(0.5), 500, 20, { mirror: true }), { ...view, mirrored: false })
})

/** Four by two pixels of which each channel tells place and channel. */
const small: RgbImage = {
  width: 4,
  height: 2,
  data: Uint8Array.from({ length: 24 }, (_, i) => 100 * (i % 3) + 10 * Math.floor(i / 12) + (Math.floor(i / 3) % 4)),
}

test('a part, as it is and mirrored', () => {
  const view = { left: 1, top: 1, width: 2, height: 1, mirrored: false }
  assert.deepEqual(cropped(small, view), { width: 2, height: 1, data: Uint8Array.of(11, 111, 211, 12, 112, 212) })
  assert.deepEqual(cropped(small, { ...view, mirrored: true }).data, Uint8Array.of(12, 112, 212, 11, 111, 211))
  const whole = { left: 0, top: 0, width: 4, height: 2, mirrored: false }
  assert.deepEqual(cropped(small, whole), small)
  const mirrored = { ...whole, mirrored: true }
  assert.deepEqual(cropped(cropped(small, mirrored), mirrored), small)
})

function noise(width: number, height: number): RgbImage {
  const random = randomFor(`${width}x${height}`)
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => 256 * random()) }
}

test('mirrored before the resize or after it is the same', () => {
  for (const [width, height, size] of [
    [50, 40, 16],
    [33, 7, 64],
    [100, 3, 7],
  ] as const) {
    const image = noise(width, height)
    const mirror = (one: RgbImage) => cropped(one, { ...one, left: 0, top: 0, mirrored: true })
    assert.deepEqual(resizeBicubic(mirror(image), size, size), mirror(resizeBicubic(image, size, size)))
  }
})

test('pixel values of views: cut out, then resized, so that nothing beyond the edge shines in', () => {
  const images = [noise(30, 20), noise(9, 40)]
  const shown: View[] = [
    { left: 3, top: 2, width: 20, height: 15, mirrored: false },
    { left: 0, top: 10, width: 9, height: 9, mirrored: true },
  ]
  const parts = images.map((image, i) => cropped(image, shown[i] as View))
  assert.deepEqual(pixelValues(images, 8, shown), pixelValues(parts, 8))
})
