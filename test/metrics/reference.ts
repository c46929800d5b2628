/** Files of the reference tree for the metrics. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { referenceDir, repositoryRoot } from '../support/paths.ts'

/** Of the copy in the repository, which has no captions that people wrote. */
export const synthetic = (file: string) => join(repositoryRoot, 'test', 'reference', 'metrics', file)
/** Of the whole tree. */
export const whole = (file: string) => join(referenceDir, 'metrics', file)

/** For tests on captions that people wrote: their licence keeps them out of the repository. */
export const needsCaptions = {
  skip: existsSync(whole('caption/val2017-captions.json'))
    ? false
    : 'needs COCO captions: REFERENCE_DIR names no tree with them',
}

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
