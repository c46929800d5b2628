/** What is said when a built-in model is shown a photo. */
import type { Command } from 'commander'
import { type BuiltInModel, photoNotice } from '../models/built-in.ts'
import { findPreset } from '../models/presets.ts'
import { bytes } from './format.ts'

/** `args`: the command line, which is repeated with a model of photos where the command has --model. */
export function photoNote(command: Command, args: readonly string[], model: BuiltInModel): string {
  const { name, forPhotos } = model
  if (!command.options.some(({ long }) => long === '--model')) return photoNotice(model)
  const size = bytes(findPreset(forPhotos)!.downloadBytes)
  return (
    `${name} knows drawn scenes only, so its answer about a photo means nothing. ` +
    `A model for photos (${size}, downloaded once):\n  ${withOtherModel(args, forPhotos)}`
  )
}

/** The command line as one could type it, with another model; shortened where it would fill the screen. */
function withOtherModel(args: readonly string[], model: string): string {
  const kept = args.filter((arg, i) => !/^--model(=|$)/.test(arg) && args[i - 1] !== '--model')
  const words = ['blip2', ...kept].map(quoted).join(' ')
  const command = words.length <= 300 ? words : `blip2 ${kept[0]} …`
  return `${command} --model ${model}`
}

/** For a POSIX shell; plain double quotes, which any shell knows, where they do. */
function quoted(word: string): string {
  if (/^[\w./:=@%+,-]+$/.test(word)) return word
  return /["$`\\!]/.test(word) ? `'${word.replaceAll("'", "'\\''")}'` : `"${word}"`
}
