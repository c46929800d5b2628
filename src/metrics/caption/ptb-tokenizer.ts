/**
 * Captions to words as the official COCO caption evaluation does: Penn Treebank tokens in lower case, without punctuation.
 *
 * Source: `pycocoevalcap/tokenizer/ptbtokenizer.py` (github.com/salaniz/pycocoevalcap, ad63453), which runs
 * `edu.stanford.nlp.process.PTBTokenizer -preserveLines -lowerCase` of Stanford CoreNLP 3.4.1 once over all captions, one a line.
 */
import { type Token, tokenAt } from './ptb-lexer.ts'

/** Tokens of the tool that the evaluation drops. It looks for brackets in capitals, so that the lower-cased `-lrb-` stays. */
const dropped = new Set(["''", "'", '``', '`', '.', '?', '!', ',', ':', '-', '--', '...', ';'])

const space = /[ \t\xa0\u2000-\u200a\u3000]/y
const lineEnd = /\r\n|[\n-\r\x85\u2028\u2029]/y

/** Most of a caption: letters, hyphens and straight apostrophes, then perhaps a mark, then a blank. */
const simple = /[A-Za-z'-]+[.,;:!?]?(?=[ \n])/y
/** What comes after such a piece matters only to its period, and then in these ways. */
const continuations = [' a', ' The ', ' 5', '\n']

/**
 * The tokens of each caption, with one blank between. The captions belong to one call, as they do there: the tool looks past the
 * end of a line (`plan B.` keeps its period or not depending on the next caption), and a line end inside a caption other than
 * `\n` (`\r`, U+000B, U+000C, U+0085, U+2028, U+2029) shifts all captions after it by a line.
 */
export function tokenize(captions: readonly string[]): string[] {
  const text = captions.map((caption) => caption.replaceAll('\n', ' ')).join('\n')
  const known = new Map<string, Token | undefined>()
  const lines: string[] = []
  let line = ''
  for (let position = 0; position < text.length; ) {
    if (matches(space, text, position)) {
      position++
    } else if (matches(lineEnd, text, position)) {
      lines.push(line)
      line = ''
      position = lineEnd.lastIndex
    } else {
      const { text: tokens, end } = simplePieceAt(text, position, known) ?? wordAt(text, position)
      if (tokens !== '') line = line === '' ? tokens : `${line} ${tokens}`
      position = end
    }
  }
  lines.push(line)
  return captions.map((_, i) => lines[i] ?? '')
}

/** The next token in lower case, or '' for what the evaluation drops. */
function wordAt(text: string, position: number): Token {
  const token = tokenAt(text, position)
  return dropped.has(token.text) ? { text: '', end: token.end } : { text: token.text.toLowerCase(), end: token.end }
}

/** The same for a whole piece at once, looked up where it was seen before; undefined where it is not simple. */
function simplePieceAt(text: string, position: number, known: Map<string, Token | undefined>): Token | undefined {
  if (!matches(simple, text, position)) return undefined
  const piece = text.slice(position, simple.lastIndex)
  if (!known.has(piece)) known.set(piece, alwaysTheSame(piece))
  const tokens = known.get(piece)
  return tokens && { text: tokens.text, end: position + tokens.end }
}

function alwaysTheSame(piece: string): Token | undefined {
  const [first, ...others] = continuations.map((after) => wordsOf(piece, after))
  if (first === undefined || others.some((other) => other !== first)) return undefined
  return { text: first, end: piece.length }
}

function wordsOf(piece: string, after: string): string {
  const words: string[] = []
  for (let position = 0; position < piece.length; ) {
    const { text, end } = wordAt(piece + after, position)
    if (text !== '') words.push(text)
    position = end
  }
  return words.join(' ')
}

function matches(sticky: RegExp, text: string, position: number): boolean {
  sticky.lastIndex = position
  return sticky.test(text)
}
