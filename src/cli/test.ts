import { basename, join } from 'node:path'
import { type Command, Option } from 'commander'
import { ConfigError } from '../errors.ts'
import type { FoundConfig } from '../evaluation/node-configs.ts'
import { makePlan, type Plan } from '../evaluation/plan.ts'
import type { Report } from '../evaluation/report.ts'
import { count, table } from './format.ts'
import { withModel } from './model.ts'
import { addModelOptions, type ModelFlags, positiveInteger } from './options.ts'
import { createOutput, type Output } from './output.ts'

interface Flags extends ModelFlags {
  readonly split?: string
  readonly preset?: string
  readonly data: string
  readonly out?: string
  readonly fresh?: boolean
  readonly limit?: number
  readonly skipUnreadable?: boolean
  readonly batch: number
  readonly json?: boolean
}

export function addTest(program: Command, signal: AbortSignal): void {
  const command = program
    .command('test')
    .helpGroup('Evaluation:')
    .summary('Run a benchmark, with the published numbers beside the measured ones.')
    .description(
      'Run a benchmark as its configuration says: print the published numbers beside the measured ones, write the official results ' +
        'and a report with examples. A run that was stopped goes on where it was.',
    )
    .argument('<config>', 'a configuration: its name, name/model, an alias, or a .yaml file of your own')
    .argument('[checkpoint]', 'published name, org/name of the hub, folder or file (default: as configured)')
    .option('--split <name>', 'part of the data, e.g. val (default: as configured)')
    .option('--preset <name>', 'whose settings, e.g. paper or lavis (default: as configured)')
    .addOption(new Option('--data <folder>', 'where the official files are').env('BLIP2_DATA').default('data'))
    .option('--out <folder>', 'where results and report go (default: a folder in blip2-test, named after the run)')
    .option('--fresh', 'begin again, if the folder holds a run already')
    .option('--limit <n>', 'only the first n images or questions, to try it out', positiveInteger)
    .option('--skip-unreadable', 'go on without images that are missing or damaged; the report lists them')
    .option('--batch <n>', 'images or questions that are computed together', positiveInteger, 8)
    .option('--json', 'one JSON object on one line')
  addModelOptions(command)
    .optionsGroup('Options:')
    .addHelpText(
      'after',
      `
Configurations: coco-caption, nocaps, vqav2, okvqa, gqa, coco-retrieval, flickr30k-retrieval. docs/evaluation.md says
which files each needs and where they are to be had. Scores are on the scale of papers (CIDEr 145.8). With --json:
  {"config", "split", "preset", "model", "measured": {…}, "published": {…}, "partial", "samples", "settings", "seconds", "out"},
  and "perType": {…} for questions whose files tell types apart; report.html has them too.

Examples:
  blip2 test coco-caption Salesforce/blip2-opt-2.7b-coco --data ~/datasets
  blip2 test vqav2/blip2-flan-t5-xl ./my-folder --preset lavis --batch 16
  blip2 test blip2-opt2.7b_3rdparty-zeroshot_caption --limit 50
  blip2 test ./my-benchmark.yaml ./my-model`,
    )
    .action((config: string, checkpoint: string | undefined, flags: Flags) =>
      test(command, config, checkpoint, flags, signal),
    )
}

async function test(
  command: Command,
  name: string,
  checkpoint: string | undefined,
  flags: Flags,
  signal: AbortSignal,
): Promise<void> {
  const output = createOutput(flags.json)
  const { findConfig } = await import('../evaluation/node-configs.ts') // late, as in model.ts
  const { prepare } = await import('../evaluation/node-prepare.ts')
  const { evaluate } = await import('../evaluation/node-evaluate.ts')
  const { digestModel } = await import('../evaluation/node-fingerprint.ts')

  const config = await findConfig(name)
  const plan = planOf(command, config, checkpoint, flags)
  const { data: dataFolder, limit, skipUnreadable = false, fresh = false, batch } = flags
  output.status('reading annotations')
  const prepared = await prepare(config, plan, { dataFolder, limit, skipUnreadable }).finally(output.clear)
  const out = flags.out ?? join('blip2-test', defaultFolder(config, plan))
  const imageSize = flags.imageSize ?? config.benchmark.presets[plan.preset]!.image_size
  await withModel(command, { ...flags, model: plan.source, imageSize }, output, signal, async (model) => {
    const report = await evaluate(model, prepared, {
      out,
      fresh,
      batch,
      modelFiles: await digestModel(plan.source, flags),
      onProgress: (step, done, total) => output.progress(`${config.name}, ${step}`, done, total, count),
      signal,
    }).catch((error) => {
      if (signal.aborted) output.note(`what is done is kept in ${out}; the same command goes on from there`)
      throw error
    })
    output.clear()
    print(report, out, output)
  })
}

/** A name that the configuration does not have is wrong usage. */
function planOf(command: Command, config: FoundConfig, checkpoint: string | undefined, flags: Flags): Plan {
  try {
    return makePlan(config.benchmark, { row: config.row, checkpoint, split: flags.split, preset: flags.preset })
  } catch (error) {
    if (error instanceof ConfigError) command.error(`error: ${config.name}: ${error.message}`)
    throw error
  }
}

function defaultFolder({ name }: FoundConfig, { split, preset, source }: Plan): string {
  return [name, split, preset, basename(source)].join('-').replace(/[^\w.-]/g, '_')
}

function print(report: Report, out: string, output: Output): void {
  const { benchmark, title, split, preset, model, scores, perType, samples, partial, settings, note, source, seconds } =
    report
  const numbers = (key: 'measured' | 'published') =>
    Object.fromEntries(scores.flatMap((row) => (row[key] === null ? [] : [[row.metric, row[key]]])))
  if (note !== undefined) output.note(note)
  if (partial.length > 0) output.note(`partial: ${partial.join('; ')}; these scores cannot be compared with others`)
  output.result(
    {
      config: benchmark,
      split,
      preset,
      model,
      measured: numbers('measured'),
      published: numbers('published'),
      ...(perType && { perType }),
      partial: partial.length > 0,
      samples,
      settings,
      seconds,
      out,
    },
    [
      `${title}, ${split} split, preset ${preset}, ${model}`,
      scoreTable(report),
      ...(source === undefined ? [] : [`Published: ${source}`]),
      ...(report.scorable ? [] : ['The answers of this split are not public: its server scores results.json.']),
      `${join(out, 'results.json')}, ${join(out, 'report.html')}`,
    ].join('\n\n'),
  )
}

function scoreTable({ scores }: Report): string {
  const number = (value: number | null) => (value === null ? '-' : value.toFixed(2))
  const signed = (value: number | null) => (value !== null && value >= 0 ? `+${value.toFixed(2)}` : number(value))
  const rows = scores.map(({ metric, measured, published, difference }) => [
    metric,
    number(measured),
    number(published),
    signed(difference),
  ])
  return table([['', 'measured', 'published', 'difference'], ...rows], [1, 2, 3])
}
