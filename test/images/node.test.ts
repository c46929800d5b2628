import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import sharp from 'sharp'
import { decodeImage } from '../../src/images/node.ts'
import { compare, fixture, fixturesDir, pixels } from './fixtures.ts'

const equal = { largest: 0, differing: 0 }
const decoded = readdirSync(fixturesDir).filter((name) => name.endsWith('.expected.png'))

test('there are fixtures to compare with', () => assert.equal(decoded.length, 30))

for (const expected of decoded) {
  const name = expected.replace('.expected.png', '')
  test(`${name} decodes to Pillow's pixels`, async () => {
    assert.deepEqual(compare(await pixels(name), await pixels(expected)), equal)
  })
}

for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8]) {
  test(`EXIF orientation ${orientation} is applied by default`, async () => {
    const name = `exif-${orientation}.jpg`
    assert.deepEqual(compare(await decodeImage(fixture(name)), await pixels(`${name}.upright.png`)), equal)
  })
}

test('AVIF comes back close to what was saved', async () => {
  // Pillow 9.4 reads no AVIF, so this is a round trip; quality 90 without chroma subsampling, 8 and 10 bits.
  const drawn = await pixels('rgb.jpg.expected.png')
  for (const bitdepth of [8, 10] as const) {
    const options = { quality: 90, chromaSubsampling: '4:4:4', bitdepth }
    const saved = await sharp(fixture('rgb.jpg.expected.png')).avif(options).toBuffer()
    const read = await decodeImage(saved)
    compare(read, drawn)
    const mean = read.data.reduce((sum, value, i) => sum + Math.abs(value - drawn.data[i]!), 0) / read.data.length
    assert.ok(mean < 3, `${bitdepth} bits: mean difference ${mean}`)
  }
})

test('one picture from a path, a file address, a data address, bytes, a Blob and a File', async () => {
  const path = fixture('lossy.webp')
  const bytes = readFileSync(path)
  const expected = await decodeImage(path)
  const sources = [
    pathToFileURL(path),
    pathToFileURL(path).href,
    `data:image/webp;base64,${bytes.toString('base64')}`,
    bytes,
    new Uint8Array(bytes),
    new Blob([new Uint8Array(bytes)]),
    new File([new Uint8Array(bytes)], 'lossy.webp'),
  ]
  for (const source of sources) assert.deepEqual(await decodeImage(source), expected)
})

test('the name does not matter, the content does', async () => {
  const jpegCalledPng = new File([new Uint8Array(readFileSync(fixture('rgb.jpg')))], 'photo.png')
  assert.deepEqual(compare(await decodeImage(jpegCalledPng), await pixels('rgb.jpg.expected.png')), equal)
})

test('bytes given by the caller are left as they were', async () => {
  const bytes = new Uint8Array(readFileSync(fixture('transparent.gif')))
  const before = Uint8Array.from(bytes)
  await decodeImage(bytes)
  assert.deepEqual(bytes, before)
})

test('stray bytes that Pillow forgives are forgiven', async () => {
  const jpeg = readFileSync(fixture('rgb.jpg'))
  const expected = await pixels('rgb.jpg.expected.png')
  const trailing = Buffer.concat([jpeg, Buffer.from('appended by a camera')])
  const between = Buffer.concat([jpeg.subarray(0, 20), Buffer.from([1, 2, 3]), jpeg.subarray(20)])
  for (const bytes of [trailing, between]) assert.deepEqual(compare(await decodeImage(bytes), expected), equal)
})
