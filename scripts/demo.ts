/** `npm run demo`: the two main commands on the tiny checkpoint and the drawn picture of examples/demo. No network. */
import { spawnSync } from 'node:child_process'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))
const main = fileURLToPath(new URL('../src/cli/main.js', import.meta.url))
const image = 'examples/demo/scene.png'
const options = ['--model', 'examples/demo/tiny-blip2']

function run(...args: string[]): void {
  const shown = args.map((arg) => (arg.includes(' ') ? `"${arg}"` : arg))
  console.log(`\n$ npx blip2 ${shown.join(' ')}`)
  const { status } = spawnSync(process.execPath, [main, ...args], { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

console.log(`Everything runs here as with a real model: the picture is read (${relative(process.cwd(), root + image)}),
encoded, and described by a language model. But this model is tiny and its weights are random numbers,
so WHAT IT SAYS MEANS NOTHING.`)
run('caption', image, ...options)
run('vqa', image, 'What is in the picture?', ...options, '--min-new-tokens', '3')
console.log(`
A real model is a name away (15 GB are downloaded, once; slow on less than 20 GB of memory):

  npx blip2 caption YOUR-PHOTO.jpg --model Salesforce/blip2-opt-2.7b`)
