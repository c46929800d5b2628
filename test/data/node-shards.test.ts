import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { endsAsTar, shardSource } from '../../src/data/node-shards.ts'
import { DataError } from '../../src/errors.ts'
import { collect, passKeys } from './collect.ts'
import { type Files, imageParts, tarBytes, writeShard } from './shards.ts'

const folder = mkdtempSync(join(tmpdir(), 'blip2-shards-'))
after(() => rmSync(folder, { recursive: true }))

/** The samples of one shard, in the order of the file. */
async function samplesOf(name: string, files: Files) {
  const source = shardSource('set', [await writeShard(folder, name, files)], { buffer: 1 })
  return collect(source.pass(0, { seed: 1, skip: 0 }))
}

const utf8 = (text: string) => new Uint8Array(Buffer.from(text))

test('captions from .txt, one a line, and from the caption of .json, one or several', async () => {
  const samples = await samplesOf('captions.tar', [
    ['0.jpg', 'A'],
    ['0.txt', 'a dog\n\n  a black dog \r\n'],
    ['1.json', '{"caption":"a cat","url":"http://example.org/cat.jpg"}'],
    ['1.png', 'B'],
    ['2.webp', 'C'],
    ['2.json', '{"captions":["one","two"]}'],
    ['3.jpeg', 'D'],
    ['3.json', '{"caption":"not this one"}'],
    ['3.txt', 'ein Hündchen'],
  ])
  assert.deepEqual(samples, [
    { key: 'captions.tar: 0', imageKey: 'captions.tar: 0', image: utf8('A'), texts: ['a dog', 'a black dog'] },
    { key: 'captions.tar: 1', imageKey: 'captions.tar: 1', image: utf8('B'), texts: ['a cat'] },
    { key: 'captions.tar: 2', imageKey: 'captions.tar: 2', image: utf8('C'), texts: ['one', 'two'] },
    { key: 'captions.tar: 3', imageKey: 'captions.tar: 3', image: utf8('D'), texts: ['ein Hündchen'] },
  ])
})

test('questions with their answers', async () => {
  const [sample] = await samplesOf('questions.tar', [
    ['0.jpg', 'A'],
    ['0.json', '{"question":"what is it?","answers":["dog","dog","puppy"]}'],
  ])
  assert.equal(sample?.question, 'what is it?')
  assert.deepEqual(sample?.texts, ['dog', 'dog', 'puppy'])
})

test('names: folders, long ones, endings in capitals and of several parts', async () => {
  const long = `${'folder/'.repeat(30)}${'n'.repeat(150)}`
  const samples = await samplesOf('names.tar', [
    ['a.b/000.JPG', 'A'],
    ['a.b/000.seg.png', 'not the image'],
    ['a.b/000.TXT', 'caption'],
    ['./c/000.jpg', 'B'],
    ['./c/000.txt', 'caption'],
    [`${long}.jpg`, 'C'],
    [`${long}.txt`, 'caption'],
  ])
  assert.deepEqual(
    samples.map(({ key, image }) => [key, Buffer.from(image as Uint8Array).toString()]),
    [
      ['names.tar: a.b/000', 'A'],
      ['names.tar: ./c/000', 'B'],
      [`names.tar: ${long}`, 'C'],
    ],
  )
})

test('files that are no part of a sample, and samples with a part missing, are passed over', async () => {
  const samples = await samplesOf('missing.tar', [
    ['README', 'no ending'],
    ['._0.jpg', 'left by a file manager'],
    ['.hidden.txt', 'hidden'],
    ['0.jpg', 'A'],
    ['0.txt', 'whole'],
    ['1.jpg', 'no text'],
    ['2.txt', 'no image'],
    ['3.mp4', 'no image that we read'],
    ['3.txt', 'text'],
    ['4.txt', 'the text first'],
    ['4.jpg', 'B'],
  ])
  assert.deepEqual(
    samples.map(({ texts }) => texts),
    [['whole'], ['the text first']],
  )
})

test('a sample whose text cannot be used comes with the reason', async () => {
  const samples = await samplesOf('bad.tar', [
    ['0.jpg', 'A'],
    ['0.json', '{"caption": "cut'],
    ['1.jpg', 'A'],
    ['1.json', '{"caption": {"en": "a dog"}}'],
    ['2.jpg', 'A'],
    ['2.txt', ' \n'],
    ['3.jpg', 'A'],
    ['3.json', '[1]'],
    ['4.jpg', 'A'],
    ['4.txt', 'fine'],
  ])
  const messages = samples.map(({ error, texts }) => {
    assert.ok(error === undefined || error instanceof DataError)
    return error?.message ?? texts
  })
  assert.match(messages[0] as string, /^bad\.tar: 0\.json: not JSON: /)
  assert.deepEqual(messages.slice(1), [
    'bad.tar: 1: caption: expected a text or a list of texts, found {"en":"a dog"}',
    'bad.tar: 2: no caption; found the fields caption',
    'bad.tar: 3: expected fields and their values, found [1]',
    ['fine'],
  ])
  assert.equal(new Set(samples.map(({ key }) => key)).size, 5)
})

test('each pass has every sample of all shards once, in an order of its own; what is skipped is the beginning', async () => {
  const shards = await Promise.all(
    [3, 0, 5, 4].map((count, i) => writeShard(folder, `s${i}.tar`, imageParts('x', count))),
  )
  const source = shardSource('set', shards, { buffer: 4 })
  assert.equal(await source.size(), 12)
  const passes = await Promise.all([0, 1, 2, 3].map((number) => passKeys(source, number)))
  for (const pass of passes) assert.equal(new Set(pass).size, 12)
  assert.equal(new Set(passes.map((pass) => pass.join())).size, 4)
  for (let skip = 0; skip <= 13; skip++)
    assert.deepEqual(await passKeys(source, 2, { skip }), (passes[2] as string[]).slice(skip))
  // The order of the shards changes too, not only that inside the buffer.
  assert.ok(new Set(passes.map((pass) => pass[0]?.slice(0, 6))).size > 1)
})

test('no more samples than the buffer holds are read ahead', async () => {
  const shard = await writeShard(folder, 'ahead.tar', imageParts('x', 60))
  for (const buffer of [1, 2, 10, 100]) {
    const order = (await passKeys(shardSource('set', [shard], { buffer }), 0)).map((key) => Number(key.split('-')[1]))
    for (const [place, index] of order.entries())
      assert.ok(index < place + buffer, `buffer ${buffer}: ${index} at ${place}`)
    assert.equal(
      order.every((index, place) => index === place),
      buffer === 1,
    )
  }
})

test('counting ends where it is enough, and reads no shard twice', async () => {
  const shards = await Promise.all([3, 4].map((count, i) => writeShard(folder, `n${i}.tar`, imageParts('x', count))))
  const source = shardSource('set', [...shards, { path: join(folder, 'gone.tar'), name: 'gone.tar' }])
  assert.equal(await source.size(3), 3)
  assert.equal(await source.size(4), 7)
  writeFileSync(shards[0]?.path as string, 'no tar file any more')
  assert.equal(await source.size(7), 7)
  await assert.rejects(source.size(8), DataError)
})

test('a file cut short or changed is an error that names it', async () => {
  const whole = Buffer.from(await tarBytes(imageParts('x', 3)))
  const shard = await writeShard(folder, 'damaged.tar', [])
  const source = shardSource('set', [shard])
  const read = async (bytes: Uint8Array) => {
    writeFileSync(shard.path, bytes)
    return passKeys(source, 0)
  }
  const cannot = (error: unknown) => {
    assert.ok(error instanceof DataError)
    assert.match(error.message, /damaged\.tar: cannot be read as a tar file: .*[^.]; is it whole\?$/)
    return true
  }
  assert.equal((await read(whole)).length, 3)
  // Six files, each a header and content of 512 bytes.
  assert.equal(whole.length, 6 * 1024 + 1024)
  for (let length = 1; length < 6 * 1024; length += 100) {
    if (length % 1024 === 0) continue
    await assert.rejects(read(whole.subarray(0, length)), cannot, `${length} bytes`)
  }
  for (const at of [0, 100, 130, 1024 + 150]) {
    const changed = Buffer.from(whole)
    changed[at]! ^= 1
    await assert.rejects(read(changed), cannot, `byte ${at}`)
  }
  await assert.rejects(read(Buffer.alloc(2048, 'a')), cannot)
})

test('a cut between two files shows at the end of the file', async () => {
  const path = join(folder, 'end.tar')
  const whole = await tarBytes(imageParts('x', 3))
  for (const length of [0, 512, 1024, 2048, 6 * 1024, whole.length - 1]) {
    writeFileSync(path, whole.subarray(0, length))
    assert.equal(await endsAsTar(path), false, `${length} bytes`)
  }
  writeFileSync(path, whole)
  assert.equal(await endsAsTar(path), true)
})

test('a pass that is left closes its file', { skip: process.platform !== 'linux' && 'needs /proc' }, async () => {
  const shard = await writeShard(folder, 'left.tar', [['0.bin', new Uint8Array(5e6)], ...imageParts('x', 50)])
  const source = shardSource('set', [shard], { buffer: 2 })
  assert.equal((await collect(source.pass(0, { seed: 1, skip: 0 }), 3)).length, 3)
  // Closing is left to the stream, which does it in its own time.
  for (let turns = 0; isOpen(shard.path) && turns < 100; turns++) await new Promise((done) => setTimeout(done, 10))
  assert.equal(isOpen(shard.path), false)
})

function isOpen(path: string): boolean {
  return readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(join('/proc/self/fd', fd)) === path
    } catch {
      return false // closed meanwhile
    }
  })
}

const tarProgram = spawnSync('tar', ['--version'], { encoding: 'utf8' }).stdout ?? ''

test('files of the tar program, in each of its formats', {
  skip: !/GNU tar/.test(tarProgram) && 'needs GNU tar',
}, async () => {
  const long = 'n'.repeat(120)
  const place = join(folder, 'packed')
  mkdirSync(join(place, 'a'), { recursive: true })
  for (const name of ['a/0', 'a/1', `a/${long}`]) {
    writeFileSync(join(place, `${name}.jpg`), `image of ${name}`)
    writeFileSync(join(place, `${name}.txt`), `caption of ${name}`)
  }
  for (const format of ['gnu', 'pax', 'ustar', 'oldgnu', 'v7']) {
    const path = join(folder, `${format}.tar`)
    const names = format === 'ustar' || format === 'v7' ? ['--exclude=*nnn*', 'a'] : ['a']
    const { status, stderr } = spawnSync('tar', ['--format', format, '--sort=name', '-cf', path, '-C', place, ...names])
    assert.equal(status, 0, String(stderr))
    assert.equal(await endsAsTar(path), true)
    const samples = await collect(shardSource('set', [{ path, name: 's' }]).pass(0, { seed: 1, skip: 0 }))
    assert.deepEqual(
      samples.map(({ key, texts, image }) => [key, texts[0], Buffer.from(image as Uint8Array).toString()]).sort(),
      ['a/0', 'a/1', ...(names.length === 1 ? [`a/${long}`] : [])].map((name) => [
        `s: ${name}`,
        `caption of ${name}`,
        `image of ${name}`,
      ]),
      format,
    )
  }
  assert.ok(readFileSync(join(folder, 'gnu.tar')).includes('././@LongLink'))
})
