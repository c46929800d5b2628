import { type Command, Option } from 'commander'
import { gqaVariants } from '../metrics/gqa/evaluate.ts'
import { tieRules } from '../metrics/retrieval/recall.ts'
import { vqaVariants } from '../metrics/vqa/accuracy.ts'
import { scoreGqa, scoreVqa } from './metrics/answers.ts'
import { type CaptionFlags, scoreCaptions } from './metrics/caption.ts'
import { scoreRetrieval } from './metrics/retrieval.ts'

const jsonText = 'one JSON object on one line'
const perQuestionText = 'the accuracy of each question too, one line each'

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
    .requiredOption('--results <file>', 'COCO results: [{"image_id", "caption"}], or lines of `blip2 caption --json`')
    .option('--plain-cider', 'CIDEr_plain too: CIDEr without the clipping and the length penalty of CIDEr-D')
    .option('--meteor <jar>', 'METEOR too, by the official meteor-1.5.jar (needs Java)')
    .option('--spice <jar>', 'SPICE too, by the official spice-1.0.jar (needs Java)')
    .option('--per-image', 'the scores of each image too, one line each')
    .option('--json', jsonText)
    .addHelpText(
      'after',
      `
Images without a result are not scored. METEOR and SPICE exist only as Java programs: they are left out without their jars.
Where the images have a "domain", as those of NoCaps, the scores of each domain follow.`,
    )
    .action((flags: CaptionFlags) => scoreCaptions(flags, signal))

  metrics
    .command('vqa')
    .description('VQA accuracy in percent: overall, by question type and by answer type. For VQA v2 and OK-VQA.')
    .requiredOption('--questions <file>', 'VQA questions: {"questions": [{"question_id"}]}')
    .requiredOption('--annotations <file>', 'VQA annotations: {"annotations": [{"question_id", "answers", …}]}')
    .requiredOption('--results <file>', 'VQA results: [{"question_id", "answer"}]')
    .addOption(
      new Option('--variant <name>', 'whose rules: the official tool, or its changed copies')
        .choices(vqaVariants)
        .default('official'),
    )
    .option('--per-question', perQuestionText)
    .option('--json', jsonText)
    .action(scoreVqa)

  metrics
    .command('gqa')
    .description('GQA accuracy in percent: overall, binary, open, by structural type and by semantic type.')
    .requiredOption(
      '--questions <file>',
      'GQA questions: {"<id>": {"answer", "types", …}}, or [{"question_id", "answer"}]',
    )
    .requiredOption('--results <file>', '[{"questionId", "prediction"}] or [{"question_id", "answer"}]')
    .addOption(
      new Option('--variant <name>', 'official: equal texts; lavis: equal when normalised as VQA answers are')
        .choices(gqaVariants)
        .default('official'),
    )
    .option('--per-question', perQuestionText)
    .option('--json', jsonText)
    .addHelpText('after', '\nQuestions with "isBalanced": false are not scored, as in the official evaluation.')
    .action(scoreGqa)

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
