/** A benchmark run: what is not computed yet, then results and report. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { DataError } from '../errors.ts'
import type { Blip2 } from '../tasks/blip2.ts'
import { chooseExamples } from './examples.ts'
import { type PageExample, type PageGroup, reportPage } from './html.ts'
import type { FileDigest } from './node-fingerprint.ts'
import { generationRun } from './node-generation-run.ts'
import { versions } from './node-package.ts'
import type { Prepared } from './node-prepare.ts'
import { retrievalRun } from './node-retrieval-run.ts'
import { openRunFolder } from './node-run-folder.ts'
import { thumbnail } from './node-thumbnail.ts'
import { makeReport, type Report } from './report.ts'
import type { ComputeOptions, Outcome, Run } from './run.ts'
import type { Sample } from './sample.ts'

export interface EvaluateOptions extends Omit<ComputeOptions, 'model'> {
  /** The folder of the run. */
  readonly out: string
  /** Begin again where the folder holds a run already. */
  readonly fresh: boolean
  readonly modelFiles: readonly FileDigest[]
}

/**
 * Computes what the folder does not have yet and writes results.json, report.json and report.html. Throws DataError, ConfigError for a
 * model of another kind, or the signal's reason; the same call then goes on where it stopped.
 */
export async function evaluate(model: Blip2, prepared: Prepared, options: EvaluateOptions): Promise<Report> {
  const { config, plan, data, samples, missing } = prepared
  const { out, fresh, modelFiles, ...computing } = options
  const installed = await versions()
  const run = runOf(model, prepared)
  const folder = await openRunFolder(
    out,
    {
      blip2: installed.blip2,
      benchmark: config.name,
      split: plan.split,
      settings: run.dependsOn,
      data: digestOf(data.files),
      model: digestOf(modelFiles),
    },
    fresh,
  )
  const begin = performance.now()
  const outcome = await run.compute(folder, { ...computing, model: digestOf(modelFiles) })
  const seconds = (performance.now() - begin) / 1000
  if (outcome.scored.length === 0) throw new DataError(`${config.benchmark.title}, ${plan.split}: no image can be read`)

  const report = makeReport(config, plan, {
    model: model.name,
    measured: outcome.scores?.measured,
    perType: outcome.scores?.perType,
    samples: {
      all: data.dataset.samples.length,
      asked: samples.length + missing.length,
      scored: outcome.scored.length,
    },
    unreadable: [...missing, ...outcome.unreadable],
    settings: run.settings,
    versions: installed,
    seconds,
    annotations: data.files,
    modelFiles,
  })
  await folder.write('results.json', JSON.stringify(outcome.results))
  await folder.write('report.json', `${JSON.stringify(report, null, 2)}\n`)
  await folder.write('report.html', reportPage(report, await pageGroups(prepared, outcome)))
  await outcome.cleanUp?.()
  return report
}

function runOf(model: Blip2, prepared: Prepared): Run {
  const { benchmark } = prepared.config
  switch (benchmark.task) {
    case 'retrieval':
      return retrievalRun(model, benchmark, prepared)
    case 'caption':
    case 'vqa':
    case 'gqa':
      return generationRun(model, benchmark, prepared)
  }
}

function pageGroups({ dataFolder }: Prepared, { scored, predictions, scores }: Outcome): Promise<PageGroup[]> {
  const example = async ({ id, image, question, references }: Sample): Promise<PageExample> => ({
    image: await thumbnail(join(dataFolder, image)).catch(() => undefined),
    name: image,
    ...(question !== undefined && { question }),
    prediction: predictions.get(id)!,
    references,
    ...(scores && { score: scores.shown(scores.bySample.get(id)!) }),
  })
  return Promise.all(
    chooseExamples(scored, scores?.bySample).map(async ({ title, samples }) => ({
      title,
      examples: await Promise.all(samples.map(example)),
    })),
  )
}

/** Of the contents. Names do not count: the same weights may lie in another file. */
function digestOf(files: readonly FileDigest[]): string {
  return createHash('sha256')
    .update(files.map(({ sha256 }) => sha256).join())
    .digest('hex')
}
