/** A stand-in for `java` that speaks the line protocol of METEOR and the files of SPICE: the real jars cannot be in the repository. */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { meteor, spice } from '../../src/metrics/caption/node-java.ts'

const folder = mkdtempSync(join(tmpdir(), 'blip2-java-'))
after(() => rmSync(folder, { recursive: true }))

function program(name: string, body: string): string {
  const path = join(folder, name)
  writeFileSync(path, `#!${process.execPath}\n${body}\n`)
  chmodSync(path, 0o755)
  return path
}

/** Statistics: words of the candidate and of the first reference that match. Score: matches / words. */
const standIn = program(
  'java',
  `const [, , flag, memory, jar, ...args] = process.argv
if (flag !== '-jar' || !memory.startsWith('-Xmx')) process.exit(3)
const words = (text) => text.split(' ')
const score = ([matches, all]) => String(matches / all)
if (jar.endsWith('meteor.jar')) {
  if (args.join(' ') !== '- - -stdio -l en -norm') process.exit(4)
  require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const [command, ...fields] = line.split(' ||| ')
    if (command === 'SCORE') {
      const candidate = words(fields.at(-1))
      console.log(candidate.filter((word) => words(fields[0]).includes(word)).length + ' ' + candidate.length)
    } else {
      const all = fields.map((field) => field.split(' ').map(Number))
      for (const one of all) console.log(score(one))
      console.log(score(all.reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0])))
    }
  })
} else {
  const fs = require('fs')
  const images = JSON.parse(fs.readFileSync(args[0], 'utf8'))
  const results = images.map(({ image_id, test, refs }) => ({
    image_id, scores: { All: { f: test === '' ? null : test.length / refs[0].length } },
  }))
  fs.writeFileSync(args[args.indexOf('-out') + 1], JSON.stringify(results))
}`,
)
const images = {
  candidates: ['a dog ||| runs', 'two  cats sleep'],
  references: [['a dog walks', 'b'], ['the cats sleep']],
}

test('METEOR: one SCORE line an image, one EVAL line', async () => {
  const scores = await meteor(images, join(folder, 'meteor.jar'), { java: standIn })
  assert.deepEqual(scores, { corpus: 4 / 6, perImage: [2 / 3, 2 / 3], parts: [] })
})

test('METEOR of a part: that of its summed statistics', async () => {
  const three = {
    candidates: ['a b', 'a', 'c d e f'],
    references: [['a'], ['a'], ['c']],
    parts: [[0, 2], [1]],
  }
  const { corpus, parts } = await meteor(three, join(folder, 'meteor.jar'), { java: standIn })
  assert.deepEqual([corpus, parts], [3 / 7, [2 / 6, 1]])
})

test('SPICE: a file in, a file out; no score counts as 0', async () => {
  const spiced = { candidates: ['ab', ''], references: [['abcd'], ['x']], parts: [[0, 1], [1]] }
  const scores = await spice(spiced, join(folder, 'spice.jar'), { java: standIn })
  assert.deepEqual(scores, { corpus: 0.25, perImage: [0.5, 0], parts: [0.25, 0] })
})

test('a program that fails, stops early or is missing', async () => {
  const failing = program('failing', `console.error('Unable to access jarfile'); process.exit(1)`)
  const jar = join(folder, 'meteor.jar')
  await assert.rejects(meteor(images, jar, { java: failing }), {
    name: 'DataError',
    message: /ended with code 1: Unable to access/,
  })
  const silent = program('silent', '')
  await assert.rejects(meteor(images, jar, { java: silent }), { name: 'DataError', message: /expected one more line/ })
  const odd = program('odd', `for (let i = 0; i < 9; i++) console.log('hello'); process.stdin.resume()`)
  await assert.rejects(meteor(images, jar, { java: odd }), {
    name: 'DataError',
    message: /expected a score, found "hello"/,
  })
  const missing = join(folder, 'nothing')
  await assert.rejects(spice(images, jar, { java: missing }), {
    name: 'DataError',
    message: /nothing: cannot be started/,
  })
})
