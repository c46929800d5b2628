import { SessionError } from '../errors.ts'
import { memoryAdvice } from './memory.ts'

/** What ONNX Runtime 1.30, V8 and Node say → what it means and what to try. The first that matches is taken. */
const meanings: readonly (readonly [said: RegExp, meaning: (match: RegExpExecArray) => string])[] = [
  [
    /bad_alloc|failed to allocate|could not allocate memory|out of memory|array buffer allocation failed|ERR_WORKER_OUT_OF_MEMORY/i,
    ([said]) => `out of memory (${said}); ${memoryAdvice}`,
  ],
  [
    /external data path does not exist: "([^"]*)"/i,
    ([, file]) => `weight file ${file} does not exist; was it moved or deleted?`,
  ],
  [
    /resolved path: "([^"]*)" allowed directory: "([^"]*)"/i,
    ([, file, folder]) => `weight file ${file} lies outside ${folder}; pass its real path, symbolic links resolved`,
  ],
  [
    /External initializer: (\S+) offset: (\d+) size to read: (\d+) given file_length: (\d+)/,
    ([, name, offset, size, length]) =>
      `${name}: bytes ${offset} to ${Number(offset) + Number(size)} of a weight file of ${length} bytes; is the file complete?`,
  ],
  [/protobuf parsing failed|model data pointer is null/i, ([said]) => `these bytes are not an ONNX model (${said})`],
  [
    /cannot find module '(.*onnxruntime_binding\.node)'|ERR_DLOPEN_FAILED/i,
    ({ input }) =>
      `ONNX Runtime has no binary for this system or cannot load it (on Linux it needs glibc, not musl): ${input}`,
  ],
]

/** The failure as a SessionError that begins with `where`; one that already is a SessionError keeps its message. */
export function sessionError(where: string, cause: unknown): SessionError {
  const said = textOf(cause)
  for (const [pattern, meaning] of meanings) {
    const match = pattern.exec(said)
    if (match) return new SessionError(`${where}: ${meaning(match)}`, { cause })
  }
  return new SessionError(`${where}: ${said}`, { cause })
}

/** What `work` returns; what it throws, as a SessionError. */
export function attempt<T>(where: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw sessionError(where, error)
  }
}

/** An error that can be sent to another thread, which some (a DOMException) cannot. */
export function sendable(error: unknown): Error {
  const copy = new Error(textOf(error))
  if (error instanceof Error && error.stack !== undefined) copy.stack = error.stack
  return copy
}

function textOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const code = 'code' in cause && typeof cause.code === 'string' ? `${cause.code}: ` : ''
  return `${code}${cause.message}`.trim()
}
