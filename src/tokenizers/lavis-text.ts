/**
 * How LAVIS cleans captions and questions before they are tokenised, for training and for matching.
 *
 * Source: LAVIS, processors/blip_processors.py, `pre_caption` and `pre_question`.
 */

const marks = /[.!"()*#:;~]/g
/** Python's `\s`, twice or more. JavaScript's lacks some control characters and has the byte order mark. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: Python counts the four information separators as spaces
const spaces = /[\p{White_Space}\x1c-\x1f]{2,}/gu

/** Lower-cased, punctuation and runs of spaces as one space, at most `maxWords` words. */
export function captionText(text: string, maxWords = 50): string {
  const cleaned = text.toLowerCase().replace(marks, ' ').replace(spaces, ' ')
  return firstWords(cleaned.replace(/\n+$/, '').replace(/^ +| +$/g, ''), maxWords)
}

/** Lower-cased, without punctuation, at most `maxWords` words. Spaces stay as they are, but for those at the end. */
export function questionText(text: string, maxWords = 50): string {
  return firstWords(text.toLowerCase().replace(marks, '').replace(/ +$/, ''), maxWords)
}

/** Words end at a space; between two spaces there is an empty word. */
function firstWords(text: string, maxWords: number): string {
  return text.split(' ').slice(0, maxWords).join(' ')
}
