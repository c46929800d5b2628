#!/usr/bin/env node
/** The command line. Exit code 0: all done; 1: something failed; 2: wrong usage; 130: stopped by Ctrl-C. */
import { CommanderError } from 'commander'
import { message } from './message.ts'
import { createProgram } from './program.ts'
import { Stopped, stopSignal } from './stop.ts'

const signal = stopSignal()
try {
  await createProgram(signal).parseAsync()
} catch (error) {
  process.exitCode = exitCode(signal.aborted ? signal.reason : error) || process.exitCode
}

function exitCode(error: unknown): number {
  if (error instanceof Stopped) return error.exitCode
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2 // it has said what is wrong
  process.stderr.write(`error: ${message(error)}\n`)
  return 1
}
