import { rules } from './ptb-rules.ts'

export interface Token {
  /** As the tokenizer writes it, in its case: one token, several with blanks between, or '' for what is dropped. */
  readonly text: string
  /** Where the text goes on, an index of UTF-16 code units. */
  readonly end: number
}

/** The token at `start`: the longest match of all rules, look-ahead included. A code unit that no rule matches is dropped. */
export function tokenAt(text: string, start: number): Token {
  let longest = 0
  let token = { text: '', end: start + 1 }
  for (const { pattern, write } of rules) {
    pattern.lastIndex = start
    const match = pattern.exec(text)
    if (match === null || match[0].length <= longest) continue
    longest = match[0].length
    const matched = match[1] ?? match[0]
    token = { text: write(matched), end: start + matched.length }
  }
  return token
}
