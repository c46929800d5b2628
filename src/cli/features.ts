import { type Command, Option } from 'commander'
import { type FeatureType, featureTypes } from '../tasks/retrieval/feature-type.ts'
import { addModelOptions, collect, type ModelFlags, modelOption, positiveInteger } from './options.ts'

const featureModes = ['image', 'text', 'multimodal'] as const
export type FeatureMode = (typeof featureModes)[number]

export interface FeatureFlags extends ModelFlags {
  readonly mode: FeatureMode
  readonly out: string
  readonly text?: readonly string[]
  readonly texts?: string
  readonly dtype: FeatureType
  readonly batch?: number
  readonly maxTextLength?: number
  readonly clean: boolean
  readonly exif: boolean
  readonly json?: boolean
}

export function addFeatures(program: Command, signal: AbortSignal): void {
  const command = program
    .command('features')
    .summary('Write the features of images and texts into a file.')
    .description("Write the features of images, of texts, or of both together into a file: the Q-Former's output.")
    .argument('[image...]', 'files, addresses, or folders with all images inside')
    .addOption(new Option('--mode <mode>', 'what the features are of').choices(featureModes).makeOptionMandatory())
    .requiredOption('--out <file>', 'where they go: .safetensors, .npy or .json')
    .option('--text <text>', 'a text (repeatable)', collect)
    .option('--texts <file>', 'more texts: one on each line, or .json')
    .addOption(new Option('--dtype <type>', 'type of the numbers').choices(featureTypes).default('float32'))
    .option('--batch <n>', 'inputs that are computed together (default: 1 image, 32 texts or pairs)', positiveInteger)
    .option('--max-text-length <tokens>', 'read no more of a text (default: as much as the model can)', positiveInteger)
    .option('--no-clean', 'read the texts as they are, not in lower case and without .!"()*#:;~ as in training')
    .option('--no-exif', 'do not turn photos as their EXIF orientation says (as the reference implementations)')
    .option('--json', 'one JSON object about what was written')
    .optionsGroup('Model:')
    .addOption(modelOption('retrieval'))
  addModelOptions(command)
    .addHelpText(
      'after',
      `
What the file has, with the sizes of the published models:
  image       image_embeds (images, 32, 768), image_embeds_proj (images, 32, 256)
  text        text_embeds (texts, tokens, 768), text_embeds_proj (texts, tokens, 256), attention_mask (texts, tokens)
  multimodal  multimodal_embeds (pairs, 32, 768)
In the order of the inputs. Rows of …_proj have length 1; the similarity (ITC) of an image and a text is the largest dot
product of the image's 32 rows with the text's first one. Texts are padded with zeros where attention_mask is 0.

.safetensors  the metadata have mode, model and, as JSON lists, images and texts
.npy          F.npy has the …_embeds, F.proj.npy and F.mask.npy the others, F.npy.json mode, model, images and texts
.json         the same in one object, an item for each input

multimodal: a text for each image, or one for all, or one image for all texts. An image that cannot be read is left out and
has {"image", "error"} with --json; the exit code is 1. Models for captions have features of images only, without …_proj.

Examples:
  blip2 features --mode image photos --out photos.safetensors --dtype float16 --model blip2_3rdparty_retrieval
  blip2 features --mode text --texts queries.txt --out queries.npy --model ./my-model
  blip2 features --mode multimodal photo.jpg --text "a dog" --text "a cat" --out pairs.json --model ./my-model`,
    )
    .action(async (images: string[], flags: FeatureFlags) => {
      const { writeFeatures } = await import('./features/run.ts') // late, as in model.ts
      await writeFeatures(command, images, flags, signal)
    })
}
