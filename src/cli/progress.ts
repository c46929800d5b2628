/** What is going on, on standard error: in place on a terminal, a line now and then elsewhere. */
import { clearLine, cursorTo } from 'node:readline'
import type { WriteStream } from 'node:tty'
import { SingleBar } from 'cli-progress'
import { bytes, duration } from './format.ts'

export interface Progress {
  /** A step that has begun, e.g. `loading blip2-opt-2.7b`; on terminals only, gone when anything else is written. */
  status(text: string): void
  /** How far a long step is, in bytes or whatever `shown` writes. */
  progress(step: string, done: number, total: number, shown?: (value: number) => string): void
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
    progress(step, done, total, text = bytes) {
      const values = { done: text(done), all: text(total) }
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
        bar.start(total, done, values)
        shown = { step, bar }
      }
      shown.bar.update(done, values)
    },
  }
}

function inLines(stream: WriteStream): Progress {
  let first = { step: '', at: 0, done: 0 }
  let last = 0
  return {
    clear() {},
    status() {},
    progress(step, done, total, text = bytes) {
      const now = performance.now()
      const begins = first.step !== step
      if (!begins && now - last < interval) return
      if (begins) first = { step, at: now, done }
      last = now
      const rate = (done - first.done) / (now - first.at)
      const left = rate > 0 ? `, ${duration((total - done) / rate / 1000)} left` : ''
      stream.write(`${step}: ${text(done)} of ${text(total)}${left}\n`)
    },
  }
}
