/** Everything that is not a good image is a DataError that says which, what was found and what to try. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import sharp from 'sharp'
import { DataError } from '../../src/errors.ts'
import { decodeImage } from '../../src/images/node.ts'
import type { ImageSource } from '../../src/images/node-read.ts'
import { compare, fixture, fixturesDir, pixels } from './fixtures.ts'

const folder = mkdtempSync(join(tmpdir(), 'blip2-images-'))
after(() => rmSync(folder, { recursive: true }))

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}

async function rejects(source: ImageSource, name: string, message: RegExp, options = {}): Promise<void> {
  await assert.rejects(decodeImage(source, options), (error) => {
    assert.ok(error instanceof DataError, `${error}`)
    assert.ok(error.message.startsWith(`${name}: `), error.message)
    assert.match(error.message, message)
    return true
  })
}

test('a missing file', () => {
  const path = join(folder, 'missing.jpg')
  return rejects(path, path, /no such file; a relative path starts at the current folder/)
})

test('a folder', () => rejects(fixturesDir, fixturesDir, /is a folder; name the images in it/))

test('an empty file', () => {
  const path = file('empty.jpg', '')
  return rejects(path, path, /expected a JPEG, PNG, WebP, AVIF, GIF or TIFF image, found an empty file/)
})

test('a text file named .jpg', () => {
  const path = file('notes.jpg', 'Milk, eggs\nand more')
  return rejects(path, path, /found text \("Milk, eggs"\)/)
})

test('formats that are not read', async () => {
  const svg = '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>'
  await rejects(file('a.svg', svg), join(folder, 'a.svg'), /found an SVG drawing/)
  await rejects(Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic'), 'image of 24 bytes', /found a HEIC photo/)
  await rejects(Buffer.from('\0\0\0\x18ftypisom\0\0\0\0isomavc1'), 'image of 24 bytes', /found a video/)
  await rejects(Buffer.from('%PDF-1.7'), 'image of 8 bytes', /found a PDF/)
  await rejects(Buffer.from('BM\x36\x10\x0e\0\0\0\0\0\x36\0\0\0'), 'image of 14 bytes', /found a BMP image/)
  await rejects(Buffer.from([0, 1, 2, 254]), 'image of 4 bytes', /found unknown data \(00 01 02 fe …\)/)
})

test('a file cut short, in every format', async () => {
  const drawn = sharp(fixture('photo-like.png'))
  const whole = {
    JPEG: readFileSync(fixture('rgb.jpg')),
    PNG: readFileSync(fixture('rgba.png')),
    WebP: readFileSync(fixture('lossy.webp')),
    GIF: readFileSync(fixture('transparent.gif')),
    TIFF: readFileSync(fixture('lzw.tif')),
    AVIF: await drawn.avif().toBuffer(),
  }
  for (const [format, bytes] of Object.entries(whole)) {
    for (const share of [0.1, 0.5, 0.9]) {
      const part = bytes.subarray(0, Math.max(Math.floor(bytes.length * share), 40))
      await rejects(part, `image of ${part.length} bytes`, new RegExp(`the ${format} data is damaged or cut short`))
    }
  }
  const barely = whole.JPEG.subarray(0, -1)
  await rejects(barely, `image of ${barely.length} bytes`, /premature end of JPEG image/)
})

test('a decompression bomb is refused from its header', async () => {
  const path = fixture('bomb.png')
  await rejects(
    path,
    path,
    /50000x50000 is 2,500,000,000 pixels, the limit is 100,000,000; shrink the image, or raise maxPixels/,
  )
})

test('maxPixels is a limit that may be reached', async () => {
  const path = fixture('grey.png')
  await decodeImage(path, { maxPixels: 45 * 31 })
  await rejects(path, path, /45x31 is 1,395 pixels, the limit is 1,394;/, { maxPixels: 45 * 31 - 1 })
})

test('addresses: a picture, a status, a web page, a broken connection, nobody there', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/rgb.jpg') response.end(readFileSync(fixture('rgb.jpg')))
    else if (request.url === '/page.jpg') response.end('<!DOCTYPE html><title>Sign in</title>')
    else if (request.url === '/broken.jpg') {
      response.writeHead(200, { 'content-length': 1000 })
      response.write('half', () => response.destroy())
    } else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    const { largest } = compare(await decodeImage(new URL(`${host}/rgb.jpg`)), await pixels('rgb.jpg.expected.png'))
    assert.equal(largest, 0)
    await rejects(`${host}/none.jpg`, `${host}/none.jpg`, /the server answered 404 Not Found; does the address open/)
    await rejects(`${host}/page.jpg`, `${host}/page.jpg`, /found text \("<!DOCTYPE html><title>Sign in<\/title>"\)/)
    await rejects(`${host}/broken.jpg`, `${host}/broken.jpg`, /cannot be fetched/)
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
  await rejects(`${host}/rgb.jpg`, `${host}/rgb.jpg`, /cannot be fetched \(.*ECONNREFUSED.*\); check the address/)
  await rejects('http://', 'http://', /cannot be fetched \(Invalid URL\)/)
})

test('the name of a File is used', () => rejects(new File(['text'], 'cat.png'), 'cat.png', /found text/))

test('an abort keeps its reason', async () => {
  const reason = new Error('enough')
  const aborted = { signal: AbortSignal.abort(reason) }
  await assert.rejects(decodeImage(fixture('rgb.jpg'), aborted), reason)
  const controller = new AbortController()
  const server = createServer((_, response) => {
    response.writeHead(200).write('\xff')
    controller.abort(reason)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/endless.jpg`
  await assert.rejects(decodeImage(address, { signal: controller.signal }), reason)
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})
