import { type Command, Option } from 'commander'
import { DataError } from '../errors.ts'
import { readJson } from '../metrics/node-read.ts'
import { type TieRule, tieRules } from '../metrics/retrieval/recall.ts'
import { type VqaVariant, vqaVariants } from '../metrics/vqa/accuracy.ts'
import { table } from './format.ts'
import { createOutput } from './output.ts'

interface CaptionFlags {
  readonly annotations: string
  readonly results: string
  readonly perImage?: boolean
  readonly meteor?: string
  readonly spice?: string
  readonly json?: boolean
}

interface VqaFlags {
  readonly questions: string
  readonly annotations: string
  readonly results: string
  readonly variant: VqaVariant
  readonly json?: boolean
}

interface RetrievalFlags {
  readonly similarity: string
  readonly groundTruth: string
  readonly ties: TieRule
  readonly json?: boolean
}

const jsonText = 'one JSON object on one line'

export function addMetrics(program: Command, signal: AbortSignal): void {
  const metrics = program
    .command('metrics')
    .helpGroup('Evaluation:')
    .summary('Score captions, answers or retrieval as the official tools do.')
    .description('Score results that are in files already. No model is needed.')
    .helpCommand(false)

  metrics
    .command('caption')
    .description('BLEU-1 to 4, ROUGE-L and CIDEr(-D) of the COCO caption evaluation, as fractions.')
    .requiredOption(
      '--annotations <file>',
      'COCO captions: {"images": [{"id"}], "annotations": [{"image_id", "caption"}]}',
    )
    .requiredOption('--results <file>', 'COCO results: [{"image_id", "caption"}]')
    .option('--meteor <jar>', 'METEOR too, by the official meteor-1.5.jar (needs Java)')
    .option('--spice <jar>', 'SPICE too, by the official spice-1.0.jar (needs Java)')
    .option('--per-image', 'the scores of each image too, one line each')
    .option('--json', jsonText)
    .addHelpText(
      'after',
      '\nImages without a result are not scored. METEOR and SPICE exist only as Java programs: they are left out without their jars.',
    )
    .action((flags: CaptionFlags) => scoreCaptions(flags, signal))

  metrics
    .command('vqa')
    .description('VQA accuracy in percent: overall, by question type and by answer type.')
    .requiredOption('--questions <file>', 'VQA questions: {"questions": [{"question_id"}]}')
    .requiredOption('--annotations <file>', 'VQA annotations: {"annotations": [{"question_id", "answers", …}]}')
    .requiredOption('--results <file>', 'VQA results: [{"question_id", "answer"}]')
    .addOption(
      new Option('--variant <name>', 'whose rules: the official tool, or its changed copies')
        .choices(vqaVariants)
        .default('official'),
    )
    .option('--json', jsonText)
    .action(scoreAnswers)

  metrics
    .command('retrieval')
    .description('Recall at 1, 5 and 10 in percent: txt_ from image to text, img_ from text to image.')
    .requiredOption(
      '--similarity <file>',
      '.safetensors with score_i2t (images, texts) and perhaps score_t2i (texts, images)',
    )
    .requiredOption('--ground-truth <file>', '{"img2txt": [[0, 1], …], "txt2img": [0, 0, …]}, one of them is enough')
    .addOption(
      new Option('--ties <rule>', 'equal scores: lower or higher index first, right ones first or last')
        .choices(tieRules)
        .default('low'),
    )
    .option('--json', jsonText)
    .action(scoreRetrieval)

  for (const command of metrics.commands)
    command.showHelpAfterError(`\`blip2 metrics ${command.name()} --help\` explains.`)
}

async function scoreCaptions(flags: CaptionFlags, signal: AbortSignal): Promise<void> {
  const { annotations, results, perImage, json } = flags
  const { pairCaptions } = await import('../metrics/caption/coco.ts')
  const { scoreTokenized, tokenizeImages } = await import('../metrics/caption/evaluate.ts')
  const { meteor, spice } = await import('../metrics/caption/node-java.ts')
  const output = createOutput(json)
  const images = pairCaptions(await readJson(annotations), await readJson(results))
  const { imageIds, withoutResult } = images
  if (withoutResult > 0) output.note(`${withoutResult} images of ${annotations} have no caption in ${results}`)
  const absent = [...(flags.meteor ? [] : ['METEOR (--meteor)']), ...(flags.spice ? [] : ['SPICE (--spice)'])]
  if (absent.length > 0) output.note(`left out without the jar of its Java program: ${absent.join(', ')}`)
  const tokenized = tokenizeImages(images)
  const scores = Object.entries({
    ...scoreTokenized(tokenized).metrics,
    ...(flags.meteor && { METEOR: await meteor(tokenized, flags.meteor, { signal }) }),
    ...(flags.spice && { SPICE: await spice(tokenized, flags.spice, { signal }) }),
  })
  if (perImage) {
    imageIds.forEach((image_id, i) => {
      const ofImage = scores.map(([name, score]): [string, number] => [name, score.perImage[i]!])
      output.result({ image_id, ...Object.fromEntries(ofImage) }, `${image_id}  ${inline(ofImage)}`)
    })
  }
  const corpus = scores.map(([name, score]): [string, number] => [name, score.corpus])
  output.result({ ...Object.fromEntries(corpus), images: imageIds.length }, lines(corpus, 4))
}

async function scoreAnswers({ questions, annotations, results, variant, json }: VqaFlags): Promise<void> {
  const { pairAnswers } = await import('../metrics/vqa/json.ts')
  const { evaluateVqa } = await import('../metrics/vqa/evaluate.ts')
  const answered = pairAnswers(await readJson(questions), await readJson(annotations), await readJson(results))
  const { overall, perQuestionType, perAnswerType } = evaluateVqa(answered.questions, answered.predictions, variant)
  const types = [...Object.entries(perAnswerType), ...Object.entries(perQuestionType)]
  createOutput(json).result(
    { overall, perAnswerType, perQuestionType, variant, questions: answered.ids.length },
    lines([['overall', overall], ...types], 2),
  )
}

async function scoreRetrieval({ similarity, groundTruth, ties, json }: RetrievalFlags): Promise<void> {
  const { openCheckpoint, readTensor } = await import('../checkpoints/node.ts')
  const { readPairs } = await import('../metrics/retrieval/json.ts')
  const { evaluateRetrieval } = await import('../metrics/retrieval/evaluate.ts')
  const { tensors } = await openCheckpoint(similarity)

  const matrix = async (name: string) => {
    const tensor = tensors.get(name)
    if (tensor === undefined) return undefined
    const [rows, columns, ...more] = tensor.shape
    const data = await readTensor(tensor)
    if (rows && columns && more.length === 0 && (data instanceof Float32Array || data instanceof Float64Array))
      return { rows, columns, data }
    throw new DataError(`${similarity}: ${name}: expected a matrix of floats, found ${tensor.dtype} (${tensor.shape})`)
  }
  const imageToText = await matrix('score_i2t')
  const textToImage = await matrix('score_t2i')
  if (imageToText === undefined)
    throw new DataError(
      `${similarity}: expected a tensor score_i2t (images, texts), found ${[...tensors.keys()].join(', ')}`,
    )
  const { rows: images, columns: texts } = imageToText
  if (textToImage && (textToImage.rows !== texts || textToImage.columns !== images))
    throw new DataError(
      `${similarity}: score_t2i: expected (${texts}, ${images}), found (${textToImage.rows}, ${textToImage.columns})`,
    )
  const { name, content } = await readJson(groundTruth)
  const scores = evaluateRetrieval(imageToText, textToImage, readPairs(name, content, images, texts), ties)
  createOutput(json).result({ ...scores, images, texts, ties }, lines(Object.entries(scores), 2))
}

function lines(scores: readonly (readonly [string, number])[], digits: number): string {
  return table(
    scores.map(([name, score]) => [name, score.toFixed(digits)]),
    [1],
  )
}

function inline(scores: readonly (readonly [string, number])[]): string {
  return scores.map(([name, score]) => `${name} ${score.toFixed(4)}`).join('  ')
}
