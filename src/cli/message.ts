import { Blip2Error } from '../errors.ts'

/** What a person is told about an error: its message alone, or the stack too with BLIP2_DEBUG=1. */
export function message(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (process.env.BLIP2_DEBUG === '1') return `${error.stack}${causes(error)}`
  if (error instanceof Blip2Error) return error.message
  return `${error.name}: ${error.message} (not foreseen: BLIP2_DEBUG=1 shows where it happened)`
}

function causes({ cause }: Error): string {
  return cause instanceof Error ? `\ncaused by ${cause.stack}${causes(cause)}` : ''
}
