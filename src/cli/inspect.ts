import type { Command } from 'commander'
import { inspect, type Report } from './inspect/report.ts'
import { reportText } from './inspect/text.ts'
import { createOutput } from './output.ts'

interface Flags {
  readonly tensors?: boolean
  readonly json?: boolean
}

export function addInspect(program: Command): void {
  program
    .command('inspect')
    .helpGroup('Models:')
    .summary('Say what a checkpoint holds.')
    .description(
      'Say what a checkpoint holds: layout (Hugging Face, LAVIS, mmpretrain), tensors, types, parameters, and whether they fit its configuration.',
    )
    .argument(
      '<checkpoint>',
      'a folder, a .safetensors, .bin or .pth file, an index, a config.json, or a built-in or published name',
    )
    .option('--tensors', 'list every tensor with type and shape (with --json they are always listed)')
    .option('--json', 'one JSON object on one line')
    .addHelpText(
      'after',
      `
Reads headers only: no weights, no tokenizer, no download. A published name or a config.json alone is counted from the
configuration. LAVIS and mmpretrain files have no config.json; their sizes are told by the shapes. Exit code 1 when the file is
damaged or its tensors do not fit the configuration.

Examples:
  blip2 inspect scenes
  blip2 inspect ./blip2-opt-2.7b
  blip2 inspect model-00001-of-00002.safetensors --tensors
  blip2 inspect blip2_pretrained_opt2.7b.pth
  blip2 inspect blip2-opt2.7b_3rdparty-zeroshot_caption --json`,
    )
    .action(async (source: string, { tensors = false, json }: Flags) => {
      const { findSubject } = await import('./inspect/subject.ts') // late, as in model.ts
      const inspected = inspect(source, await findSubject(source))
      createOutput(json).result(inspected.report, reportText(inspected, tensors))
      if (isWrong(inspected.report)) process.exitCode = 1
    })
}

/** A BLIP-2 checkpoint that does not go with its configuration. Any other kind of checkpoint is fine as it is. */
function isWrong({ format, fit, name_problems, config_problem }: Report): boolean {
  return fit?.fits === false || name_problems.length > 0 || (format !== 'unknown' && config_problem !== null)
}
