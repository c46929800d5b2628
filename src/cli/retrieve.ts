import { type Command, Option } from 'commander'
import { type FeatureType, featureTypes } from '../tasks/retrieval/feature-type.ts'
import { type ScoreRule, scoreRules } from '../tasks/retrieval/ranking.ts'
import { addModelOptions, type ModelFlags, modelOption, positiveInteger } from './options.ts'
import type { InputFlags } from './retrieve/inputs.ts'

export interface RetrieveFlags extends ModelFlags, InputFlags {
  readonly k: number
  readonly rule: ScoreRule
  readonly top: number
  readonly out?: string
  readonly similarity?: string
  readonly skipUnreadable?: boolean
  readonly clean: boolean
  readonly maxTextLength?: number
  readonly exif: boolean
  readonly json?: boolean
  readonly batch: number
  readonly textBatch: number
  readonly features: FeatureType
  readonly work?: string
  readonly fresh?: boolean
  readonly keepWork?: boolean
}

export function addRetrieve(program: Command, signal: AbortSignal): void {
  const command = program
    .command('retrieve')
    .summary('Find the texts for every image and the images for every text.')
    .description(
      'Find the texts for every image and the images for every text: the k most similar ones (ITC), in the order of how ' +
        'well they match (ITM).',
    )
    .requiredOption('--images <path>', 'folder, with those inside it, or a .json list of paths')
    .requiredOption('--texts <file>', 'one on each line, or .json: a list, COCO captions, or a Karpathy split of LAVIS')
    .option('--k <n>', 'candidates of each query that are matched', positiveInteger, 128)
    .addOption(
      new Option('--rule <rule>', 'score: ITM + ITC as released (lavis), or ITM alone as in the paper')
        .choices(scoreRules)
        .default('lavis'),
    )
    .option('--top <n>', 'results of each query', positiveInteger, 5)
    .option(
      '--ground-truth <file>',
      'for recall: {"img2txt": [[0, 1], …], "txt2img": [0, 0, …]}, one of them is enough',
    )
    .option('--out <file>', 'write the results into a JSON file instead')
    .option('--similarity <file>', 'write all ITC similarities too (.safetensors, for `blip2 metrics retrieval`)')
    .option('--skip-unreadable', 'leave out images that cannot be read, instead of stopping at the first')
    .option('--max-text-length <tokens>', 'read no more of a text (default: 35, as released)', positiveInteger)
    .option('--no-clean', 'read the texts as they are, not in lower case and without .!"()*#:;~ as in training')
    .option('--no-exif', 'do not turn photos as their EXIF orientation says (as the reference implementations)')
    .option('--json', 'one JSON object per line')
    .optionsGroup('Computation:')
    .option('--batch <n>', 'images that are encoded together', positiveInteger, 1)
    .option('--text-batch <n>', 'texts that are matched with an image together', positiveInteger, 32)
    .addOption(
      new Option('--features <type>', 'how the features of the images are kept on the disk')
        .choices(featureTypes)
        .default('float16'),
    )
    .option('--work <folder>', 'where the work is kept until it is done (default: OUT.work, or ./blip2-retrieve.work)')
    .option('--fresh', 'delete what is in the work folder and begin anew')
    .option('--keep-work', 'do not delete the work folder at the end')
    .optionsGroup('Model:')
    .addOption(modelOption('retrieval'))
  addModelOptions(command)
    .addHelpText(
      'after',
      `
With --json, one line per image, then one per text, best first, with the cosine (itc), the probability of a match (itm)
and the score that decides the order:
  {"image", "texts": [{"text", "itc", "itm", "score"}]}
  {"text", "images": [{"image", "itc", "itm", "score"}]}
and, where it is known which belong together, {"txt_r1", "txt_r5", …, "img_r1", …, "r_mean"}: recall in percent, txt_ from
image to text. COCO captions and Karpathy splits say that themselves; their images are looked for in the folder --images.

A run that was stopped or killed goes on where it was when the same command is given again.

Examples:
  blip2 retrieve --images photos --texts queries.txt --model blip2_3rdparty_retrieval
  blip2 retrieve --images coco --texts coco_karpathy_test.json --model ./my-model --out result.json`,
    )
    .action(async (flags: RetrieveFlags) => {
      const { retrieveAll } = await import('./retrieve/run.ts') // late, as in model.ts
      await retrieveAll(command, flags, signal)
    })
}
