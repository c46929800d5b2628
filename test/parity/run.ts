/**
 * Compares this package with the reference implementations, case by case: `npm run test:reference`.
 * The tree is the copy inside the repository, or the one that REFERENCE_DIR names. Exit code 1 when a case fails.
 */
import { referenceDir } from '../support/paths.ts'
import { checkTree } from './folders.ts'
import { lines, succeeded, summary } from './report.ts'

const report = await checkTree(referenceDir)
for (const line of lines(report.checks)) console.log(line)
console.log(summary(report))
process.exitCode = succeeded(report) ? 0 : 1
