/** The folders of the reference tree and what compares each. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { checkHfBlip2 } from './hf-blip2.ts'
import { checkLavisQformer, qformerNotCovered } from './lavis-qformer.ts'
import { checkLavisStage2 } from './lavis-stage2.ts'
import { checkMetrics, metricsNotCovered } from './metrics.ts'
import { checkOptim } from './optim.ts'
import { checkPreprocess } from './preprocess.ts'
import { attempt, type Check, type Report } from './report.ts'
import { checkStage1Training } from './stage1-training.ts'
import { checkStage2Training } from './stage2-training.ts'
import { checkVision } from './vision.ts'

interface Comparison {
  check(path: string): Promise<Check[]>
  /** Cases of the folder that are left out. */
  notCovered?(path: string): Promise<string[]>
}

export const comparisons: Readonly<Record<string, Comparison>> = {
  'hf-blip2-opt': { check: checkHfBlip2 },
  'hf-blip2-t5': { check: checkHfBlip2 },
  'lavis-qformer': { check: both(checkLavisQformer, checkStage1Training), notCovered: qformerNotCovered },
  'lavis-stage2-opt': { check: both(checkLavisStage2, checkStage2Training) },
  'lavis-stage2-t5': { check: both(checkLavisStage2, checkStage2Training) },
  metrics: { check: checkMetrics, notCovered: metricsNotCovered },
  optim: { check: checkOptim },
  vision: { check: checkVision },
}

/** Forward and in training. */
function both(...checks: readonly Comparison['check'][]): Comparison['check'] {
  return async (path) => {
    const found: Check[] = []
    for (const check of checks) found.push(...(await check(path)))
    return found
  }
}

/** Folders with photos, which are not ours to copy: compared where a tree has them. */
const withPhotos: Readonly<Record<string, Comparison>> = {
  preprocess: { check: checkPreprocess },
}

/** Every case of a tree. A known folder that is missing fails (one with photos does not); an unknown one is listed. */
export async function checkTree(tree: string): Promise<Report> {
  const entries = await readdir(tree, { withFileTypes: true })
  const folders = new Set(entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name))
  const photos = Object.entries(withPhotos).filter(([folder]) => folders.has(folder))
  const known: Readonly<Record<string, Comparison>> = { ...comparisons, ...Object.fromEntries(photos) }
  const checks: Check[] = []
  const notCovered = [...folders].filter((folder) => !Object.hasOwn(known, folder))
  for (const [folder, { check, notCovered: leftOut }] of Object.entries(known)) {
    checks.push(...(await attempt(folder, 'all', () => check(join(tree, folder)))))
    if (folders.has(folder)) notCovered.push(...((await leftOut?.(join(tree, folder)).catch(() => [])) ?? []))
  }
  return { checks, notCovered }
}
