/** A retrieval in a process of its own: `node killed-process.js FOLDER CALLS` kills itself when the encoder has been called so often. */
import { digestedRun } from './digested-run.ts'

const [folder, calls] = process.argv.slice(2) as [string, string]
let left = Number(calls)
const digest = await digestedRun(folder, () => {
  if (left-- === 0) process.kill(process.pid, 'SIGKILL')
})
process.stdout.write(digest)
