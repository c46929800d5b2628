import type { Command } from 'commander'
import { chatDefaults } from '../tasks/prompts.ts'
import { answerPrinter } from './answers.ts'
import { decodingOptions } from './decoding.ts'
import { linesOfInput } from './lines.ts'
import { withModel } from './model.ts'
import { addCommonOptions, type CommonFlags } from './options.ts'
import { createOutput } from './output.ts'
import { encodePhoto } from './photos.ts'

export function addChat(program: Command, signal: AbortSignal): void {
  const command = program
    .command('chat')
    .summary('Talk about an image.')
    .description(
      'Talk about an image: questions from standard input, one a line, each with the earlier ones as context.',
    )
    .argument('<image>', 'a file or an address')
  addCommonOptions(command, chatDefaults)
    .addHelpText(
      'after',
      `
Ends with the input (Ctrl-D). With --json, one line per question, as \`blip2 vqa\` prints it.

Examples:
  blip2 chat photo.jpg --model Salesforce/blip2-flan-t5-xl
  printf 'What is this?\\nWhere was it taken?\\n' | blip2 chat photo.jpg --model ./my-model`,
    )
    .action((image: string, flags: CommonFlags) => chat(command, image, flags, signal))
}

async function chat(command: Command, image: string, flags: CommonFlags, signal: AbortSignal): Promise<void> {
  const { exif, json } = flags
  const options = { ...decodingOptions(command, flags, chatDefaults), exif, signal }
  const output = createOutput(json)
  await withModel(command, flags, output, signal, async (model) => {
    output.status(`encoding ${image}`)
    const photo = await encodePhoto(model, image, options)
    output.clear()
    if ('error' in photo) return output.failure(photo.error, { image })
    const chat = await model.chat(photo.encoded, options)
    const print = answerPrinter(output, model, photo, ({ pred_answer }) => pred_answer)
    for await (const question of linesOfInput(signal)) await print(question, () => chat.ask(question))
  })
}
