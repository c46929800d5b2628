import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { addCaption } from './caption.ts'
import { addChat } from './chat.ts'
import { addConvert } from './convert.ts'
import { addFeatures } from './features.ts'
import { addInspect } from './inspect.ts'
import { addMatch } from './match.ts'
import { addMetrics } from './metrics.ts'
import { addModels } from './models.ts'
import { addRetrieve } from './retrieve.ts'
import { addTest } from './test.ts'
import { addTrain } from './train.ts'
import { addVqa } from './vqa.ts'

/** All commands. They check their own usage (CommanderError), and reject with the signal's reason when it aborts. */
export function createProgram(signal: AbortSignal): Command {
  const program = new Command('blip2')
    .description('Captions photos and answers questions about them, with BLIP-2.')
    .version(version(), '--version', 'print the version')
    .helpOption('--help', 'explain a command')
    .helpCommand(false)
    .exitOverride()
    .showHelpAfterError('`blip2 --help` lists the commands.')
    .addHelpText(
      'after',
      `
Without --model, small models answer that are part of this package and know drawn scenes only (examples/demo has some). For
photos, name one of \`blip2 models\`; it is downloaded once.

Examples:
  blip2 caption scene.png
  blip2 caption photo.jpg --model Salesforce/blip2-opt-2.7b
  blip2 vqa photo.jpg "What colour is the car?" --model ./blip2-flan-t5-xl
  BLIP2_MODEL=Salesforce/blip2-opt-2.7b blip2 caption *.jpg --json > captions.jsonl

Results go to standard output, everything else to standard error. Exit code: 0 all done, 1 something failed,
2 wrong usage, 130 stopped by Ctrl-C. BLIP2_DEBUG=1 shows where an error came from.`,
    )
  addCaption(program, signal)
  addVqa(program, signal)
  addChat(program, signal)
  addMatch(program, signal)
  addFeatures(program, signal)
  addRetrieve(program, signal)
  addInspect(program)
  addConvert(program, signal)
  addModels(program)
  addMetrics(program, signal)
  addTest(program, signal)
  addTrain(program, signal)
  for (const command of program.commands) command.showHelpAfterError(`\`blip2 ${command.name()} --help\` explains.`)
  return program
}

/** From the nearest package.json above this file: the package's own, also when compiled to another folder. */
function version(): string {
  for (let folder = new URL('.', import.meta.url); ; folder = new URL('..', folder)) {
    try {
      return JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')).version
    } catch (error) {
      if (folder.pathname === '/' || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
}
