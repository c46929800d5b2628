import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { parse, YAMLParseError } from 'yaml'
import { ConfigError } from '../errors.ts'
import type { LogLine, StepLine } from '../training/log.ts'
import { parseRecipe, type Recipe } from '../training/recipe.ts'
import { bytes, duration, table } from './format.ts'
import { positiveInteger } from './options.ts'
import { createOutput } from './output.ts'

interface Flags {
  readonly resume: boolean
  readonly output?: string
  readonly steps?: number
  readonly data?: string
  readonly threads?: number
  readonly json?: boolean
}

export function addTrain(program: Command, signal: AbortSignal): void {
  program
    .command('train')
    .helpGroup('Training:')
    .summary('Train as a recipe says: either stage, fine-tuning, an encoder or language model from nothing.')
    .description(
      'Train as a recipe says. The folder of the run gets checkpoints, log.jsonl, report.html with the curves, and at the end model/, ' +
        'which every other command takes. Ctrl-C saves a state first; after that, or after a kill, --resume goes on and ends with the same numbers.',
    )
    .argument('<recipe>', 'a .yaml file')
    .option('--resume', 'go on with the run in the output folder', false)
    .option('--output <folder>', "the run's folder (default: that of the recipe)")
    .option('--steps <n>', 'stop after so many steps (the schedule is then made for them)', positiveInteger)
    .option('--data <folder>', 'where the paths of the data start (default: data.root of the recipe)')
    .option('--threads <n>', 'threads of one operator (default: all)', positiveInteger)
    .option('--json', 'one JSON object per line of the log, without its pictures, and {"model"} at the end')
    .addHelpText(
      'after',
      `
docs/training.md explains recipes; recipes/ has those of the paper and of the drawn scenes.

Examples:
  blip2 train recipes/stage1-vitg.yaml --data ~/datasets
  blip2 train recipes/stage1-vitg.yaml --data ~/datasets --resume`,
    )
    .action((file: string, flags: Flags) => train(file, flags, signal))
}

async function train(file: string, flags: Flags, signal: AbortSignal): Promise<void> {
  const output = createOutput(flags.json)
  const recipe = withFlags(await readRecipe(file), flags)
  const { train: run } = await import('../training/node-train.ts') // late, as in model.ts
  output.status('reading data and weights')
  let live = ''
  const model = await run(recipe, {
    folder: dirname(resolve(file)),
    resume: flags.resume,
    ...(flags.threads !== undefined && { threads: flags.threads }),
    onProgress: ({ step, loadedBytes, totalBytes }) => output.progress(step, loadedBytes, totalBytes),
    onPlan(facts) {
      output.clear()
      process.stderr.write(`${table(Object.entries(facts))}\n`)
      output.status('the first step')
    },
    onPart: (step, part) => output.status(`step ${step}, part ${part} of ${recipe.accumulate}  ${live}`),
    onStep(line) {
      live = measures(line, recipe)
      output.status(`step ${line.step}  ${live}`)
    },
    onLine: (line) => output.result(withoutPictures(line), lineText(line, recipe)),
    onNotice: output.note,
    signal,
  })
    .catch((error) => {
      if (signal.aborted) output.note('stopped; the same command with --resume goes on')
      throw error
    })
    .finally(output.clear)
  output.result({ model }, `The model is in ${model}`)
}

function withFlags(recipe: Recipe, { output, steps, data }: Flags): Recipe {
  return {
    ...recipe,
    ...(output !== undefined && { output }),
    ...(steps !== undefined && { steps }),
    ...(data !== undefined && { data: { ...recipe.data, root: resolve(data) } }),
  }
}

async function readRecipe(file: string): Promise<Recipe> {
  const text = await readFile(file, 'utf8').catch((cause) => {
    throw new ConfigError(`${file}: ${cause.code === 'ENOENT' ? 'no such file' : cause.message}`, { cause })
  })
  try {
    return parseRecipe(parse(text), file)
  } catch (cause) {
    if (cause instanceof YAMLParseError) throw new ConfigError(`${file}: ${cause.message}`, { cause })
    throw cause
  }
}

function lineText(line: LogLine, recipe: Recipe): string {
  return `step ${line.step}  ${line.kind === 'step' ? measures(line, recipe) : `validation ${lossText(line)}`}`
}

/** `loss 5.1234 (itc 1.234, …)  rate 1.00e-4  12.3 samples/s  waiting 0 %  1.2 GB  5 min left` */
function measures(line: StepLine, recipe: Recipe): string {
  const left = (recipe.steps - line.step) * (recipe.batch / line.samples_per_second)
  return [
    lossText(line),
    `rate ${line.learning_rate.toExponential(2)}`,
    `${line.samples_per_second.toPrecision(3)} samples/s`,
    `waiting ${(100 * line.waiting).toFixed(0)} %`,
    bytes(line.memory),
    `${duration(left)} left`,
  ].join('  ')
}

function lossText({ loss, parts }: LogLine): string {
  const shown = Object.entries(parts).map(([name, value]) => `${name.replace('loss_', '')} ${value.toFixed(3)}`)
  return `loss ${loss.toFixed(4)}${shown.length > 0 ? ` (${shown.join(', ')})` : ''}`
}

function withoutPictures(line: LogLine): object {
  if (line.kind === 'step') return line
  return { ...line, examples: line.examples.map(({ picture, ...words }) => words) }
}
