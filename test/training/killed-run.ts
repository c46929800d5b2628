/**
 * A run in a process of its own that kills itself: `node killed-run.js RUN.json [operations | milliseconds] NUMBER`. An operation is one
 * that changes a file; of a write, half of the bytes are written first. Prints how many operations there were if it comes to its end.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import type { Recipe } from '../../src/training/recipe.ts'

export interface KilledRun {
  readonly recipe: Recipe
  /** That the recipe's paths start at. */
  readonly folder: string
}

const [file, unit, number] = process.argv.slice(2) as [string, string | undefined, string | undefined]
const die = () => process.kill(process.pid, 'SIGKILL')
const last = unit === 'operations' ? Number(number) : Number.POSITIVE_INFINITY
let operations = 0

const functions = fs.promises as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
for (const name of ['copyFile', 'mkdir', 'mkdtemp', 'rename', 'rm', 'writeFile']) {
  const original = functions[name]!
  functions[name] = (...args) => {
    if (++operations === last) die()
    return original(...args)
  }
}
syncBuiltinESMExports()

const handle = await fs.promises.open(file)
const prototype = Object.getPrototypeOf(handle)
await handle.close()
const { write } = prototype
prototype.write = async function (bytes: Uint8Array, offset: number, length: number, position: number | null) {
  if (++operations !== last) return write.call(this, bytes, offset, length, position)
  await write.call(this, bytes, offset, Math.floor(length / 2), position)
  die()
}

if (unit === 'milliseconds') setTimeout(die, Number(number))
const { recipe, folder } = JSON.parse(fs.readFileSync(file, 'utf8')) as KilledRun
const { train } = await import('../../src/training/node-train.ts') // late, so that it gets the functions above
await train(recipe, { folder, resume: true, threads: 1 })
process.stdout.write(String(operations))
