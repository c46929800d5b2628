import assert from 'node:assert/strict'
import { test } from 'node:test'
import { showsPictures, terminalPicture } from '../../scripts/terminal-picture.ts'

test('two rows of pixels a line, the last one alone over the background', () => {
  const data = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18])
  assert.equal(
    terminalPicture({ width: 2, height: 3, data }),
    '\x1b[38;2;1;2;3m\x1b[48;2;7;8;9m▀\x1b[38;2;4;5;6m\x1b[48;2;10;11;12m▀\x1b[0m\n' +
      '\x1b[38;2;13;14;15m\x1b[49m▀\x1b[38;2;16;17;18m\x1b[49m▀\x1b[0m\n',
  )
})

test('only on a terminal with colours that is wide enough', () => {
  const terminal = { isTTY: true, columns: 80, hasColors: () => true } as const
  assert.equal(showsPictures(terminal, 64), true)
  assert.equal(showsPictures({ ...terminal, columns: 63 }, 64), false)
  assert.equal(showsPictures({ ...terminal, hasColors: () => false }, 64), false) // NO_COLOR, TERM=dumb
  assert.equal(showsPictures({ isTTY: undefined } as never, 64), false) // a pipe or a file
})
