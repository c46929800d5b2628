/**
 * Answers as the VQA evaluation compares them.
 *
 * Source: `vqaEval.py` of github.com/GT-Vision-Lab/VQA (a013f00), which LAVIS and mmpretrain copied.
 */
import { split, strip } from '../python.ts'

const punctuation = [...';/[]"{}()=+\\_-><@`,?!']
const articles = new Set(['a', 'an', 'the'])
const numbers = new Map([
  ['none', '0'],
  ...['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'].map(
    (word, i): [string, string] => [word, String(i)],
  ),
])

/** Written out, each is recognised with exactly one of its apostrophes missing. */
const contracted = `
  ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's how'd
  how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock oughtn't
  'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've
  someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's they'd they'd've
  they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's where'd where's where've who'd
  who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've
  you'll you're you've`
const contractions = new Map([
  ...split(contracted).flatMap((word) =>
    withOneApostropheLess(word).map((missing): [string, string] => [missing, word]),
  ),
  ["somebody'd", 'somebodyd'], // sic
])

function withOneApostropheLess(word: string): string[] {
  return [...word.matchAll(/'/g)].map(({ index }) => word.slice(0, index) + word.slice(index + 1))
}

/** Line breaks and tabs to blanks, none around. */
export function trimAnswer(answer: string): string {
  return strip(answer.replace(/[\n\t]/g, ' '))
}

/**
 * A mark is deleted where the answer has it next to a blank, or has digits with a comma between; else it becomes a blank. Periods
 * that no digit follows are deleted, but at most 32: the original passes the flag `re.UNICODE` as the count.
 */
export function stripPunctuation(answer: string): string {
  const thousands = /\d,\d/.test(answer)
  let result = answer
  for (const mark of punctuation) {
    const loose = answer.includes(`${mark} `) || answer.includes(` ${mark}`)
    result = result.replaceAll(mark, loose || thousands ? '' : ' ')
  }
  let periods = 0
  return result.replace(/\.(?!\d)/g, (period) => (periods++ < 32 ? '' : period))
}

/** Small letters, digits for number words up to ten, no articles, apostrophes in contractions, single blanks. */
export function normaliseWords(answer: string): string {
  return split(answer.toLowerCase())
    .map((word) => numbers.get(word) ?? word)
    .filter((word) => !articles.has(word))
    .map((word) => contractions.get(word) ?? word)
    .join(' ')
}

/** All of it, of a trimmed answer. */
export function normaliseAnswer(answer: string): string {
  return normaliseWords(stripPunctuation(answer))
}
