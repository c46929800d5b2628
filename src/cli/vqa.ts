import type { Command } from 'commander'
import { answerDefaults } from '../tasks/prompts.ts'
import { answerPrinter } from './answers.ts'
import { decodingOptions } from './decoding.ts'
import { withModel } from './model.ts'
import { addCommonOptions, type CommonFlags } from './options.ts'
import { createOutput } from './output.ts'
import { encodePhoto } from './photos.ts'

interface Flags extends CommonFlags {
  readonly prompt?: string
}

export function addVqa(program: Command, signal: AbortSignal): void {
  const command = program
    .command('vqa')
    .summary('Answer questions about an image.')
    .description('Answer questions about an image, each on its own.')
    .argument('<image>', 'a file or an address')
    .argument('<question...>', 'one or several; the image is encoded once')
    .option('--prompt <template>', 'what the answer continues, with {} for the question (default: as published)')
  addCommonOptions(command, answerDefaults)
    .addHelpText(
      'after',
      `
With --json, one line per question:
  {"image", "question", "pred_answer", "model", "timing_ms": {…, "total"}}
The times of the first answer have the reading and encoding of the image. A question that fails, or every question of an
image that cannot be read, has {"image", "question", "error"} instead, and the exit code is 1.

Examples:
  blip2 vqa photo.jpg "What colour is the car?" --model Salesforce/blip2-flan-t5-xl
  blip2 vqa photo.jpg "How many birds?" "Where are they?" --model ./my-model --json
  blip2 vqa photo.jpg "Is it raining?" --model ./my-model --prompt "Question: {} Yes or no:"`,
    )
    .action((image: string, questions: string[], flags: Flags) => vqa(command, image, questions, flags, signal))
}

async function vqa(
  command: Command,
  image: string,
  questions: readonly string[],
  flags: Flags,
  signal: AbortSignal,
): Promise<void> {
  const { exif, prompt, json } = flags
  const options = { ...decodingOptions(command, flags, answerDefaults), exif, signal }
  if (questions.some((question) => question.trim() === '')) return command.error('error: a question is empty')
  if (prompt !== undefined && !prompt.includes('{}')) {
    return command.error('error: --prompt: expected {} where the question goes, as in "Question: {} Answer:"')
  }
  const output = createOutput(json)
  await withModel(command, flags, output, signal, async (model) => {
    output.status(`encoding ${image}`)
    const photo = await encodePhoto(model, image, options)
    if ('error' in photo) return output.failure(photo.error, ...questions.map((question) => ({ image, question })))
    const print = answerPrinter(output, model, photo, ({ question, pred_answer }) => `${question} ${pred_answer}`)
    for (const question of questions) {
      output.status(question)
      await print(question, () =>
        model.answer(photo.encoded, question, { ...options, prompt: prompt?.replaceAll('{}', question) }),
      )
    }
  })
}
