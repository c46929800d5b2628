/**
 * Captions to words as the official COCO caption evaluation does: Penn Treebank tokens in lower case, without punctuation.
 *
 * Source: `pycocoevalcap/tokenizer/ptbtokenizer.py` (github.com/salaniz/pycocoevalcap, ad63453), which runs
 * `edu.stanford.nlp.process.PTBTokenizer -preserveLines -lowerCase` of Stanford CoreNLP 3.4.1 once over all captions, one a line.
 */
import { type Token, tokenAt } from './ptb-lexer.ts'

/** Tokens of the tool that the evaluation drops. It looks for brackets in capitals, so that the lower-cased `-lrb-` stays. */
const dropped = new Set(["''", "'", '``', '`', '.', '?', '!', ',', ':', '-', '--', '...', ';'])

const oddSpace = /[\t\xa0\u2000-\u200a\u3000]/y
const lineEnd = /\r\n|[\n-\r\u2028\u2029]/y

/** Most of a caption: letters, hyphens and straight apostrophes, then perhaps a mark, then a blank. */
const simple = /[A-Za-z'-]+[.,;:!?]?(?=[ \n])/y
/** What comes after such a piece matters only to its period, and then in these ways. */
const continuations = [' a', ' The ', ' 5', '\n']

/**
 * The tokens of each caption, with one blank between. The captions belong to one call, as they do there: the tool looks past the
 * end of a line (`plan B.` keeps its period or not depending on the next caption), and a line end inside a caption other than
 * `\n` (`\r`, U+000B, U+000C, U+2028, U+2029) shifts all captions after it by a line.
 */
export function tokenize(captions: readonly string[]): string[] {
  const text = captions.map((caption) => caption.replaceAll('\n', ' ')).join('\n')
  const known = new Map<string, string | undefined>()
  const lines: string[] = []
  let line: string[] = []
  for (let position = 0; position < text.length; ) {
    if (text[position] === ' ') {
      position++
      continue
    }
    const piece = matches(simple, text, position) ? text.slice(position, simple.lastIndex) : ''
    const words = lookUp(known, piece)
    if (words !== undefined) {
      if (words !== '') line.push(words)
      position += piece.length
    } else if (matches(oddSpace, text, position)) {
      position++
    } else if (matches(lineEnd, text, position)) {
      lines.push(line.join(' '))
      line = []
      position = lineEnd.lastIndex
    } else {
      const word = wordAt(text, position)
      if (word.text !== '') line.push(word.text)
      position = word.end
    }
  }
  lines.push(line.join(' '))
  return captions.map((_, i) => lines[i] ?? '')
}

/** The next token in lower case, or '' for what the evaluation drops. */
function wordAt(text: string, position: number): Token {
  const token = tokenAt(text, position)
  return { text: dropped.has(token.text) ? '' : token.text.toLowerCase(), end: token.end }
}

/** The words of a simple piece, computed when it is first seen; undefined where they depend on what follows. */
function lookUp(known: Map<string, string | undefined>, piece: string): string | undefined {
  const before = known.get(piece)
  if (before !== undefined || piece === '' || known.has(piece)) return before
  const [words, ...others] = continuations.map((after) => wordsOf(piece, after))
  const settled = others.every((other) => other === words) ? words : undefined
  known.set(piece, settled)
  return settled
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
