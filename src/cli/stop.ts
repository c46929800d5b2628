/** Ending before the end: Ctrl-C, a kill, a reader that has gone. */
import { setMaxListeners } from 'node:events'

/** The reason of the signal below. */
export class Stopped extends Error {
  readonly exitCode: number

  constructor(why: string, exitCode: number) {
    super(why)
    this.exitCode = exitCode
  }
}

/** Exit codes as shells give them: 128 and the number of the signal. */
const signals = { SIGINT: 130, SIGTERM: 143 } as const

/** How long stopping may take before a person is told that it goes on, in milliseconds. */
const patience = 500

/**
 * Aborts at the first Ctrl-C or SIGTERM; the second ends the process at once. Also aborts, quietly, when nobody reads the
 * results any more (`| head`).
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal) // every image of a batch listens; not a leak
  for (const [name, exitCode] of Object.entries(signals)) {
    process.on(name, () => {
      // By the signal itself: exit handlers would wait for the computation that is under way.
      if (controller.signal.aborted) return endBy(name as keyof typeof signals)
      controller.abort(new Stopped(name, exitCode))
      const notice = () => process.stderr.write('stopping after the present step; once more to exit at once\n')
      setTimeout(notice, patience).unref()
    })
  }
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return controller.abort(new Stopped('nobody reads the results', 0))
    process.stderr.write(`error: standard output: ${error.message}\n`) // a full disk
    process.exitCode = 1
    controller.abort(new Stopped(error.message, 1))
  })
  process.stderr.on('error', () => {}) // nowhere to say it
  return controller.signal
}

function endBy(signal: keyof typeof signals): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}
