/** Runs the compiled command line as a child process, as a user's shell does. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { repositoryRoot } from '../support/paths.ts'

/** 99,536 random parameters, 28 px, at most 40 positions; examples/demo/README.md. */
export const tiny = join(repositoryRoot, 'examples', 'demo', 'tiny-blip2')
export const scene = join(repositoryRoot, 'examples', 'demo', 'scene.png')

const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))

export interface Outcome {
  /** Exit code; null when a signal ended the process. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** Of standard output, without the last line break. */
  readonly lines: readonly string[]
}

export interface RunOptions {
  /** Standard input; nothing by default. */
  readonly input?: string
  /** Leaves standard input open behind `input`. */
  readonly keepOpen?: boolean
  readonly env?: Readonly<Record<string, string>>
  /** Called once when the first result arrives. */
  readonly onFirstLine?: (child: ChildProcessWithoutNullStreams) => void
}

export function blip2(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { input = '', keepOpen = false, env = {}, onFirstLine } = options
  const { BLIP2_MODEL, BLIP2_DEBUG, ...inherited } = process.env
  const child = spawn(process.execPath, [main, ...args], { env: { ...inherited, ...env } })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.once('data', () => onFirstLine?.(child))
  child.stdout.on('data', (chunk) => out.push(chunk))
  child.stderr.on('data', (chunk) => err.push(chunk))
  child.stdin.write(input)
  if (!keepOpen) child.stdin.end()
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const [stdout, stderr] = [out, err].map((chunks) => Buffer.concat(chunks).toString()) as [string, string]
      resolve({ code, signal, stdout, stderr, lines: stdout === '' ? [] : stdout.replace(/\n$/, '').split('\n') })
    })
  })
}

/** Every line of standard output as JSON. */
export function objects<T = Record<string, unknown>>({ lines }: Outcome): T[] {
  return lines.map((line) => JSON.parse(line))
}
