/** Real photos against PIL 9.4 and torchvision 0.14. The photos are other projects', so they are not in the repository. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { decodeImage } from '../../src/images/node.ts'
import { pixelValues } from '../../src/images/preprocess.ts'
import { resizeBicubic } from '../../src/images/resize.ts'
import { referenceDir } from '../support/paths.ts'
import { compare } from './fixtures.ts'

interface Case {
  readonly file: string
  readonly decoded_rgb_sha256: string
  readonly outputs: readonly { size: number; rgb_sha256: string; png?: string; tensor?: string }[]
}

const folder = join(referenceDir, 'preprocess')
const cases: readonly Case[] = existsSync(folder)
  ? JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')).images
  : []
const skip = cases.length === 0 && 'no preprocess folder in the reference tree; name one that has it by REFERENCE_DIR'
const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex')

test('photos decode and resize to the reference pixels', { skip }, async (t) => {
  for (const { file, decoded_rgb_sha256, outputs } of cases) {
    const image = await decodeImage(join(folder, file), { exif: false })
    // A JPEG decoder of another version may differ by a step; the resize is then compared through its tolerance.
    const decodedEqual = sha256(image.data) === decoded_rgb_sha256
    if (file.endsWith('.png')) assert.ok(decodedEqual, `${file}: decoded pixels differ`)
    for (const { size, rgb_sha256, png, tensor } of outputs) {
      const resized = resizeBicubic(image, size, size)
      const equal = sha256(resized.data) === rgb_sha256
      t.diagnostic(
        `${file} ${size}: decoded ${decodedEqual ? 'equal' : 'differs'}, resized ${equal ? 'equal' : 'differs'}`,
      )
      if (decodedEqual) assert.ok(equal, `${file} at ${size}: equal pixels in, other pixels out`)
      if (png !== undefined) {
        const { largest, differing } = compare(resized, await decodeImage(join(folder, png)))
        assert.ok(largest <= (decodedEqual ? 0 : 6), `${png}: differs by up to ${largest} in ${differing} values`)
      }
      if (tensor !== undefined && equal) {
        const expected = readTensor(tensor)
        const actual = pixelValues([image], size)
        assert.equal(actual.length, expected.length)
        const largest = actual.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0)
        t.diagnostic(`${file} ${size}: tensor differs by at most ${largest}`)
        assert.ok(largest <= 1e-6, `${tensor}: differs by ${largest}`)
      }
    }
  }
})

/** `file:name` → the float32 values of that tensor. */
function readTensor(place: string): Float32Array {
  const [file, name] = place.split(':') as [string, string]
  const bytes = readFileSync(join(folder, file))
  const headerBytes = Number(bytes.readBigUInt64LE())
  const [from, to] = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes))[name].data_offsets
  return new Float32Array(Uint8Array.from(bytes.subarray(8 + headerBytes + from, 8 + headerBytes + to)).buffer)
}
