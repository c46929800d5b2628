/** The cases of `npm run test:reference` on the repository's copy of the reference tree. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { repositoryRoot } from '../support/paths.ts'
import { floats } from '../support/tensors.ts'
import { largestDifference } from './compare.ts'
import { comparisons } from './folders.ts'
import { type Check, lines, passes, succeeded, summary } from './report.ts'

for (const [folder, { check }] of Object.entries(comparisons)) {
  test(folder, async (t) => {
    const checks = await check(join(repositoryRoot, 'test', 'reference', folder))
    const variants = new Set(checks.map(({ variant }) => variant))
    assert.ok(variants.size >= 2)
    for (const variant of variants) {
      await t.test(variant, () => {
        const failed = checks.filter((one) => one.variant === variant && !passes(one))
        assert.deepEqual(lines(failed), [])
      })
    }
  })
}

test('a difference that is no number, or above the tolerance, fails', () => {
  const check = (difference: number): Check => ({ folder: 'a', variant: 'b', name: 'c', difference, tolerance: 1e-5 })
  for (const difference of [2e-5, Number.NaN, Number.POSITIVE_INFINITY]) {
    const report = { checks: [check(0), check(difference)], notCovered: ['d'] }
    assert.equal(succeeded(report), false)
    assert.match(lines(report.checks)[1]!, /^a {2}b {2}c .* FAIL$/)
    assert.equal(summary(report), '2 cases in 1 folders: 1 FAILED; not covered yet: d')
  }
  assert.equal(succeeded({ checks: [check(1e-5)], notCovered: [] }), true)
  assert.equal(succeeded({ checks: [], notCovered: ['d'] }), false)
})

test('a tensor of another shape, a missing one and a NaN are differences', () => {
  const [a, b] = [floats([2], [1, 2]), floats([2, 1], [1, 2])]
  assert.equal(largestDifference(a, floats([2], [1, 2.5])), 0.5)
  assert.equal(largestDifference(a, b), Number.POSITIVE_INFINITY)
  assert.equal(largestDifference(a, undefined), Number.POSITIVE_INFINITY)
  assert.equal(largestDifference(undefined, a), Number.POSITIVE_INFINITY)
  assert.ok(Number.isNaN(largestDifference(a, floats([2], [1, Number.NaN]))))
})

test('a tree without the known folders fails and names those that it has', async () => {
  const tree = mkdtempSync(join(tmpdir(), 'blip2-reference-'))
  mkdirSync(join(tree, 'something-new'))
  const run = fileURLToPath(new URL('./run.js', import.meta.url))
  const env = { ...process.env, REFERENCE_DIR: tree }
  const { code, output } = await new Promise<{ code: unknown; output: string }>((resolve) => {
    execFile(process.execPath, [run], { env }, (error, stdout) => resolve({ code: error?.code, output: stdout }))
  })
  rmSync(tree, { recursive: true })
  assert.equal(code, 1)
  for (const folder of Object.keys(comparisons)) assert.match(output, new RegExp(`^${folder} .*FAIL .*${folder}`, 'm'))
  assert.match(output, /FAILED; not covered yet: something-new\n$/)
})
