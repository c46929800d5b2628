import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytes, duration, roughly, table } from '../../src/cli/format.ts'
import { createProgress } from '../../src/cli/progress.ts'

/** Collects what is written. */
function stream(isTTY: boolean) {
  const written: string[] = []
  const write = (text: string) => written.push(text) > 0
  return {
    written,
    stream: { isTTY, columns: 40, write, cursorTo: () => true, clearLine: () => true, on() {} } as never,
  }
}

test('without a terminal: a line at the beginning of a step, then one every ten seconds', (t) => {
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const { written, stream: log } = stream(false)
  const progress = createProgress(log)
  progress.status('loading')
  for (; now <= 25_000; now += 1000) progress.progress('download', now * 1e6, 25e9)
  progress.progress('widen', 0, 1e9)
  progress.clear()
  assert.deepEqual(written, [
    'download: 0 B of 25.0 GB\n',
    'download: 10.0 GB of 25.0 GB, 15 s left\n',
    'download: 20.0 GB of 25.0 GB, 5 s left\n',
    'widen: 0 B of 1.0 GB\n',
  ])
})

test('on a terminal: a status is cut to the width', () => {
  const { written, stream: terminal } = stream(true)
  createProgress(terminal).status('captioning '.repeat(10))
  assert.equal(written.at(-1)?.length, 39)
})

test('numbers for people', () => {
  assert.deepEqual([0, 999, 1000, 419_488, 14_979_047_424].map(bytes), [
    '0 B',
    '999 B',
    '1.0 kB',
    '419.5 kB',
    '15.0 GB',
  ])
  assert.deepEqual([0.2, 89, 91, 5340, 12_030].map(duration), ['1 s', '89 s', '2 min', '89 min', '3 h 21 min'])
  assert.deepEqual([99_536, 98_765_432, 3_745_216_384].map(roughly), ['99,536', '98.8 million', '3.75 billion'])
  assert.equal(
    table(
      [
        ['a', '1'],
        ['bcd', '234'],
      ],
      [1],
    ),
    'a      1\nbcd  234',
  )
})
