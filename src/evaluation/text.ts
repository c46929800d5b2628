/**
 * What the released codes do to a text before a model reads it.
 *
 * - `lavis`: `blip_question` and `blip_caption` of LAVIS 506965b (lavis/processors/blip_processors.py): small letters, some marks deleted
 *   (questions) or made blanks (captions), at most 50 words. The question mark stays.
 * - `mmpretrain`: `CleanCaption` of mmpretrain ee7f2e8 (mmpretrain/datasets/transforms/processing.py): small letters, no ASCII
 *   punctuation at all.
 */
import { captionText, questionText } from '../tokenizers/lavis-text.ts'

export const textRules = ['as-is', 'lavis', 'mmpretrain'] as const
export type TextRule = (typeof textRules)[number]

export function processQuestion(rule: TextRule, question: string): string {
  return process(rule, question, questionText)
}

export function processCaption(rule: TextRule, caption: string): string {
  return process(rule, caption, captionText)
}

function process(rule: TextRule, text: string, lavis: (text: string) => string): string {
  switch (rule) {
    case 'as-is':
      return text
    case 'lavis':
      return lavis(text)
    case 'mmpretrain':
      return withoutPunctuation(text)
  }
}

function withoutPunctuation(text: string): string {
  return text
    .trim()
    .replace(/[!-/:-@[-`{-~]/g, '')
    .replace(/\s{2,}/g, ' ')
    .toLowerCase()
}
