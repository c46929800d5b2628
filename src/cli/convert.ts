import { type Command, InvalidArgumentError, Option } from 'commander'
import { namingTitles } from '../models/names/names.ts'
import type { Naming } from '../models/names/table.ts'
import { bytes, count } from './format.ts'
import { sourceOptions } from './model.ts'
import type { ModelFlags } from './options.ts'
import { createOutput, type Output } from './output.ts'

interface Flags extends Pick<ModelFlags, 'revision' | 'offline' | 'languageModel' | 'imageEncoder' | 'tokenizer'> {
  readonly to: Naming
  readonly shardSize: number
  readonly json?: boolean
}

export function addConvert(program: Command, signal: AbortSignal): void {
  program
    .command('convert')
    .helpGroup('Models:')
    .summary('Rewrite a checkpoint under the names of another library.')
    .description(
      'Rewrite a checkpoint as safetensors under the names of Hugging Face, LAVIS or mmpretrain. Values and types stay as they are.',
    )
    .argument('<in>', 'a folder, a .safetensors, .bin or .pth file, an index, or a name of the hub')
    .argument('<out>', 'a folder that is empty or not there')
    .addOption(
      new Option('--to <names>', 'whose names').choices(['huggingface', 'lavis', 'mmpretrain']).default('huggingface'),
    )
    .option('--shard-size <size>', 'largest file of weights, such as 500MB or 5GB', size, 5e9)
    .option('--json', 'one JSON object on one line')
    .optionsGroup('Model:')
    .option('--revision <revision>', 'branch, tag or commit of the hub (default: main)')
    .option('--offline', 'use what is in the cache, without any request')
    .option('--language-model <name>', 'take the language model from here, if the checkpoint has none')
    .option('--image-encoder <name>', 'take the image encoder from here, if the checkpoint has none')
    .option('--tokenizer <name>', 'take the tokenizer from here')
    .optionsGroup('Options:')
    .addHelpText(
      'after',
      `
Files of the tokenizer and the image processor that lie beside the checkpoint are copied. A config.json is too, or is made
for Hugging Face from the shapes. A tied tensor is written once. Nothing is left of a conversion that does not end.

Examples:
  blip2 convert blip2_pretrained.pth ./blip2-itm-vit-g
  blip2 convert checkpoint_4.pth ./mine --image-encoder Salesforce/blip2-itm-vit-g --language-model facebook/opt-2.7b
  blip2 convert ./blip2-opt-2.7b ./for-lavis --to lavis --shard-size 2GB`,
    )
    .action(async (source: string, out: string, flags: Flags) => {
      const output = createOutput(flags.json)
      const { convert } = await import('./convert/convert.ts') // late, as in model.ts
      const converted = await convert(source, out, {
        ...sourceOptions(flags),
        to: flags.to,
        shardBytes: flags.shardSize,
        onBytes: (done, total) => output.progress('write', done, total),
        onProgress: ({ step, loadedBytes, totalBytes }) => output.progress(step, loadedBytes, totalBytes),
        onNotice: output.note,
        signal,
      }).finally(output.clear)
      print(source, out, converted, output)
    })
}

type Converted = import('./convert/convert.ts').Converted

function print(source: string, out: string, converted: Converted, output: Output): void {
  const { from, to, tensors, files, copiesLeftOut, unnamed, configProblem } = converted
  if (configProblem !== undefined) output.note(`no config.json was written: ${configProblem}`)
  if (unnamed.length > 0)
    output.note(
      `${namingTitles[to]} has no name for ${count(unnamed.length)} tensors, which keep LAVIS's: ${unnamed.slice(0, 3).join(', ')}${unnamed.length > 3 ? ', …' : ''}`,
    )
  output.result(
    {
      in: source,
      out,
      from,
      to,
      tensor_count: tensors,
      bytes: converted.bytes,
      files,
      tied_copies_left_out: copiesLeftOut,
      without_name: unnamed,
    },
    [
      `${out}: ${count(tensors)} tensors, ${bytes(converted.bytes)}, from the names of ${namingTitles[from]} to those of ${namingTitles[to]}`,
      ...files.map((name) => `  ${name}`),
    ].join('\n'),
  )
}

const units: Readonly<Record<string, number>> = { kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, MiB: 2 ** 20, GiB: 2 ** 30 }

/** Bytes: a number and its unit. */
function size(text: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?) ?([kMGT]i?B)$/.exec(text) ?? []
  const bytes = Number(number) * (units[unit] ?? Number.NaN)
  if (bytes >= 1) return bytes
  throw new InvalidArgumentError('Expected a number and kB, MB, GB or TB, such as 5GB.')
}
