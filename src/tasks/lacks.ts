import { ConfigError } from '../errors.ts'
import { builtInModel, findBuiltIn } from '../models/built-in.ts'
import { presets } from '../models/presets.ts'

/** What to do when a model of one kind is asked for a task that needs the other. */
const advice = {
  generation:
    'is a model for captions and answers, without the text half of the Q-Former that compares; take one for retrieval',
  retrieval:
    'is a model for retrieval, without a language model: it matches and gives features; take one for captions and answers',
} as const

/** The error for a task that a model of this kind has no part for. */
export function lacks(task: string, name: string, kind: keyof typeof advice): ConfigError {
  const other = kind === 'generation' ? 'retrieval' : 'generation'
  const model = findBuiltIn(name) ? builtInModel(other) : presets.find((preset) => preset.kind === other)
  return new ConfigError(`${task}: ${name} ${advice[kind]}, such as ${model?.name} (\`blip2 models\` lists them)`)
}
