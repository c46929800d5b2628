/** Files of the reference tree for the metrics. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from '../support/paths.ts'

/** Of the copy in the repository, which has no captions that people wrote: those are compared by `npm run test:reference`. */
export const synthetic = (file: string) => join(repositoryRoot, 'test', 'reference', 'metrics', file)

// biome-ignore lint/suspicious/noExplicitAny: the files are the test's own
export function readJson(path: string): any {
  return JSON.parse(readFileSync(path, 'utf8'))
}

// biome-ignore lint/suspicious/noExplicitAny: the files are the test's own
export function readLines(path: string): any[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}
