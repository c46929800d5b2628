/**
 * `npm run claims`: claims of the paper in miniature, on the drawn scenes. Needs what `npm run scenes` has made; trains in runs/claims, and
 * writes docs/claims/results.json, the plots beside it, and the tables in docs/claims.md. What was done already is not done again.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Blip2Error } from '../src/errors.ts'
import { budget, within } from './claims/experiments.ts'
import { experiments, measure } from './claims/node-measure.ts'

const main = fileURLToPath(new URL('../src/cli/main.js', import.meta.url))

const usage = `npm run claims -- [--only figure5|table6|queries]… [--threads N] [--steps N] [--limit N] [--root FOLDER]
  --only    one of the experiments; may be given several times (default: all)
  --threads of every run and test (default: all)
  --steps   no run longer than this, --limit: no test larger, to try the script: write such results elsewhere, with
  --root    a folder with recipes/scenes, runs/scenes and docs/claims.md (default: the repository)`

try {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      threads: { type: 'string' },
      steps: { type: 'string' },
      limit: { type: 'string' },
      root: { type: 'string', default: fileURLToPath(new URL('../../', import.meta.url)) },
      help: { type: 'boolean' },
    },
  })
  if (values.help) console.log(usage)
  else {
    const only = (values.only ?? experiments).map((name) => {
      const found = experiments.find((experiment) => experiment === name)
      return found ?? wrong(`--only: expected one of ${experiments.join(', ')}, found ${name}`)
    })
    const most = { steps: number('steps', values.steps), limit: number('limit', values.limit) }
    const threads = number('threads', values.threads)
    await measure({ root: values.root, budget: within(budget, most), only, blip2: blip2In(values.root, threads) })
  }
} catch (error) {
  if (error instanceof Blip2Error) fail(error.message, 1)
  if (error instanceof TypeError && 'code' in error) wrong(error.message)
  throw error
}

function blip2In(root: string, threads: number | undefined): (...args: string[]) => Promise<void> {
  return async (...words) => {
    const args = [...words, ...(threads === undefined ? [] : ['--threads', String(threads)])]
    console.log(`\n$ npx blip2 ${args.join(' ')}`)
    const { status, signal } = spawnSync(process.execPath, [main, ...args], { cwd: root, stdio: 'inherit' })
    if (status !== 0) throw new Blip2Error(`blip2 ${args[0]}: ended with ${status ?? signal}; the same command goes on`)
  }
}

function number(name: 'threads' | 'steps' | 'limit', text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) && value >= 1
    ? value
    : wrong(`--${name}: expected a whole number of at least 1, found ${text}`)
}

function wrong(message: string): never {
  return fail(`${message}\n\n${usage}`, 2)
}

function fail(message: string, code: number): never {
  console.error(`error: ${message}`)
  process.exit(code)
}
