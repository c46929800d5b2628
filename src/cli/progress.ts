/** What is going on, on standard error: in place on a terminal, a line now and then elsewhere. */
import { clearLine, cursorTo } from 'node:readline'
import type { WriteStream } from 'node:tty'
import { SingleBar } from 'cli-progress'
import { bytes } from './format.ts'

export interface Progress {
  /** A step that has begun, e.g. `loading blip2-opt-2.7b`; on terminals only, gone when anything else is written. */
  status(text: string): void
  /** How far a long step is. */
  progress(step: string, done: number, total: number): void
  /** Takes status and bar off the terminal. */
  clear(): void
}

/** Between two lines where there is no terminal, in milliseconds. */
const interval = 10_000

export function createProgress(stream: WriteStream): Progress {
  return stream.isTTY ? onTerminal(stream) : inLines(stream)
}

function onTerminal(stream: WriteStream): Progress {
  let shown: { readonly step: string; readonly bar: SingleBar } | undefined
  const clear = () => {
    shown?.bar.stop()
    shown = undefined
    cursorTo(stream, 0)
    clearLine(stream, 0)
  }
  return {
    clear,
    status(text) {
      clear()
      stream.write(text.slice(0, stream.columns - 1))
    },
    progress(step, done, total) {
      if (shown?.step !== step) {
        clear()
        const bar = new SingleBar({
          stream,
          format: `${step} {bar} {percentage} %  {done} of {all}  {eta_formatted} left`,
          barsize: 24,
          barCompleteChar: '█',
          barIncompleteChar: '░',
          clearOnComplete: true,
          hideCursor: true,
          linewrap: true,
          etaBuffer: 100,
          gracefulExit: false, // Ctrl-C is the program's matter, which calls clear
        })
        bar.start(total, done, { done: bytes(done), all: bytes(total) })
        shown = { step, bar }
      }
      shown.bar.update(done, { done: bytes(done), all: bytes(total) })
    },
  }
}

function inLines(stream: WriteStream): Progress {
  let last = { step: '', at: 0 }
  return {
    clear() {},
    status() {},
    progress(step, done, total) {
      const due = last.step !== step || performance.now() - last.at >= interval
      if (!due) return
      last = { step, at: performance.now() }
      stream.write(`${step}: ${bytes(done)} of ${bytes(total)}\n`)
    },
  }
}
