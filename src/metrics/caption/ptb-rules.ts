/**
 * What the Penn Treebank tokenizer that the COCO caption tools call (`PTBTokenizer` of Stanford CoreNLP 3.4.1) takes for a token.
 * Written from its behaviour: the conventions of the Penn Treebank, and comparisons with the tool itself on captions, on random
 * mixtures of their pieces, and on every word of up to four letters before a period.
 *
 * At each place the rule that matches the longest text wins, look-ahead included; among equals the first in the list. Letters
 * match in either case unless a rule says `exact`.
 */
import {
  abbreviations,
  beforeNumbers,
  capitalAbbreviations,
  endingAbbreviations,
  fileExtensions,
  sentenceStarters,
  smallAbbreviations,
  smallEndingAbbreviations,
} from './ptb-abbreviations.ts'
import { digits, joiners, letters, marks, symbols } from './ptb-characters.ts'

export interface Rule {
  /** Sticky. Group 1, where there is one, is the token and what follows it is look-ahead; else the whole match is the token. */
  readonly pattern: RegExp
  /** The token as it is written, or the tokens that it is split into, with blanks between; '' drops it. As it stands unless told. */
  readonly write: (text: string) => string
}

const blank = String.raw`(?:\r\n|[ \t\xa0\u2000-\u200a\u3000\n-\r\x85\u2028\u2029])`
const letter = `(?:[${letters}${marks}]|&[aeiou](?:acute|grave|uml);)`
const digit = `[${digits}]`
const alphanumeric = `(?:[${letters}${marks}${digits}]|&[aeiou](?:acute|grave|uml);)`
/** Marks, entities and soft hyphens end compounds and elisions, not words. */
const hardLetter = `(?:(?!\\xad)[${letters}])`
const hard = `(?:(?!\\xad)[${letters}${digits}])`
const apostrophe = String.raw`(?:['\x92\u2019]|&apos;)`
const quote = String.raw`(?:['\x92\u2019\x60\x91\u2018\u201b]|&apos;)`
const and = '(?:&[aA][mM][pP];|&)'

const word = `${letter}${alphanumeric}*(?:[.!?]${letter}${alphanumeric}*)*`
/** With an article or preposition in front, as in French: `l'avenue`. */
const part = `(?:[dol]${quote}(?=${hard}{2}))?${hard}+`
const compound = `${part}(?:[${joiners}]${part})*`
const number = `(?:${digit}*(?:[.:,\\xad\\u066b\\u066c]${digit}+)+|${digit}+)`
const clitic = `${apostrophe}(?:[sdm]|re|ve|ll)`
const acronym = String.raw`(?:[a-z](?:\.[a-z])+|(?:canada|sino|korean|eu|japan|non)-u\.s|u\.s\.-(?:u\.k|u\.s\.s\.r))`
/** `u.s.-based`, `1,000-year-old` */
const dotted = `[a-z0-9][a-z0-9.,\\xad]*(?:-(?:${acronym}\\.|[a-z0-9\\xad]+))+`
const tagName = '[a-z][a-z0-9_:.-]*'
const attribute = String.raw` +${tagName}(?: *= *(?:'[^'\r\n]*'|"[^"\r\n]*"))?`
const tag = String.raw`<(?:[!?][a-z-][^>\r\n]*|/${tagName} *|${tagName}(?:${attribute})* */?)>`
const urlEnd = String.raw`[^ \t\n\f\r"<>|.!?(){},-]`
const path = String.raw`[^ \t\n\f\r"<>|()]+${urlEnd}`
const address = String.raw`[^ \t\n\f\r"<>|(){}]+${urlEnd}`

const same = (text: string) => text
/** Without soft hyphens. */
const unhyphenated = (text: string) => text.replaceAll('\xad', '')
/** With straight apostrophes and backquotes, without soft hyphens. */
const straight = (text: string) =>
  text
    .replace(/[\x92\u2019]|&apos;/g, "'")
    .replace(/[\x91\u2018\u201b]/g, '`')
    .replaceAll('\xad', '')
const as = (token: string) => () => token
const bracketed = (text: string) => text.replaceAll('(', '-LRB-').replaceAll(')', '-RRB-')
/** A token of several words: its blanks are kept as no-break spaces, on which BLEU and CIDEr split again and ROUGE-L does not. */
const unbroken = (text: string) => text.replaceAll(' ', '\u00a0')

/** In either case. */
const rule = (pattern: string, write: Rule['write'] = same): Rule => ({ pattern: new RegExp(pattern, 'iy'), write })
/** In the case that is written. */
const exact = (pattern: string, write: Rule['write'] = same): Rule => ({ pattern: new RegExp(pattern, 'y'), write })
/** The pattern where `following` comes after it, which is no part of the token. */
const before = (pattern: string, following: string, write?: Rule['write']): Rule =>
  rule(`(${pattern})(?:${following})`, write)
const beforeExact = (pattern: string, following: string, write?: Rule['write']): Rule =>
  exact(`(${pattern})(?:${following})`, write)

/** Contractions are split before the clitic (`it 's`, `is n't`), a few spoken forms too (`gon na`). */
const words: readonly Rule[] = [
  before('gon|wan', 'na'),
  before('got', 'ta'),
  before('lem|gim', 'me'),
  before('can', 'not'),
  before(`${apostrophe}t`, 'is|was', straight),
  rule(tag, unbroken),
  before(word, clitic, straight),
  before('[a-z\\xad]*[a-mo-z]', `n${quote}t`, straight),
  rule(word, straight),
]

/** Apostrophes that belong to a word. */
const elisions: readonly Rule[] = [
  rule(`${apostrophe}n${apostrophe}?|[ldj]${apostrophe}|(?:dunkin|somethin|ol)${apostrophe}`),
  rule(
    `${apostrophe}(?:em|[2-9]0s|till?|cause)|cont'd\\.?|nor'easter|c'mon|e'er|s'mores|ev'ry|li'l|nat'l|d'ye|o${apostrophe}o`,
  ),
  exact(`[A-HJ-XZn]${quote}${hardLetter}{2,}|${hardLetter}+[aeiouyAEIOUY]${quote}[aeiouA-Z]${hardLetter}*`),
  before(`y${apostrophe}`, letter),
]

const web: readonly Rule[] = [
  rule(`https?://${address}`),
  rule(String.raw`www\.(?:[^ \t\n\f\r"<>|.!?(){},]+\.)+[a-z]{2,4}(?:/${path})?`),
  // No capitals nor digits: `,-_` is a range.
  exact(
    String.raw`(?:[^ \t\n\f\r"'\x60<>|.!?(){},-_$]+\.)+(?:[cC][oO][mM]|[nN][eE][tT]|[oO][rR][gG]|[eE][dD][uU])(?:/${path})?`,
  ),
  rule(
    String.raw`(?:&lt;|<)?[a-z0-9][^ \t\n\f\r"<>|()\xa0{}]*@(?:[^ \t\n\f\r"<>|(){}.\xa0]+\.)*[^ \t\n\f\r"<>|(){}.\xa0]+(?:&gt;|>)?`,
  ),
  rule(`@[a-z_][a-z_0-9]*|#${letter}+`),
]

const clitics: readonly Rule[] = [before(clitic, '[^A-Za-z]', straight), rule(`n${quote}t`, straight)]

const frequentFractions = new Map([...'¼½¾⅓⅔'].map((sign, i) => [sign, ['1/4', '1/2', '3/4', '1/3', '2/3'][i]!]))
const numbers: readonly Rule[] = [
  rule(`${digit}{1,2}[-/]${digit}{1,2}[-/]${digit}{2,4}`),
  rule(`[-+]?${number}`, unhyphenated),
  rule('[\u207a\u207b\u208a\u208b]?(?:[\u2070\xb9\xb2\xb3\u2074-\u2079]+|[\u2080-\u2089]+)'),
  rule(`(?:${digit}{1,4}[- \xa0])?${digit}{1,4}(?:\\\\?/|\u2044)${digit}{1,4}`, unbroken),
  rule('[\xbc-\xbe\u2153-\u215e]', (sign) => frequentFractions.get(sign) ?? sign),
  before(`${apostrophe}[0-9][0-9]`, blank),
  rule(
    String.raw`(?:\([0-9]{2,3}\)[ \xa0]?|(?:\+\+?)?(?:[0-9]{2,4}[- \xa0])?[0-9]{2,4}[- \xa0])[0-9]{3,4}[- \xa0]?[0-9]{3,5}|(?:(?:\+\+?)?[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5}`,
    (text) => bracketed(unbroken(text)),
  ),
]

const currency: readonly Rule[] = [
  exact('[A-Z]*\\$|#'),
  rule('\xa2', as('cents')),
  rule('\xa3', as('#')),
  rule('[\x80\xa4\u20a0\u20ac]', as('$')),
]

const abbreviated: readonly Rule[] = [
  rule('-(?:RRB|LRB|RCB|LCB|RSB|LSB)-|C\\.D\\.s|pro-|anti-'),
  rule(`S${and}P-500|S${and}Ls`, (text) => text.replace(/&amp;/i, '&')),
  rule(`Cap${apostrophe}n|c${apostrophe}est`, straight),
  rule(`(?:${abbreviations}|[a-z])\\.`),
  exact(`(?:${smallAbbreviations})\\.`),
  ...[`(?:${endingAbbreviations})\\.`, '(?:ed|ph)\\.d\\.'].flatMap((pattern) => [
    rule(pattern),
    before(pattern, '[^][^]'),
  ]),
  ...[`(?:${capitalAbbreviations}|${smallEndingAbbreviations})\\.`].flatMap((pattern) => [
    exact(pattern),
    beforeExact(pattern, '[^][^]'),
  ]),
  rule(`${acronym}\\.`),
  before(acronym, blank),
  beforeExact('[A-Za-z]', `\\.${blank}+(?:${sentenceStarters})${blank}`),
  before('[a-z]', `\\.${blank}+${tag}${blank}`),
  before(`(?:${beforeNumbers})\\.`, `${blank}?${digit}`),
]

const compounds: readonly Rule[] = [
  rule(compound, unhyphenated),
  before(`${compound}\\.`, '[,;:\u3001]', unhyphenated),
  before(`${word}\\.`, '[,;:\u3001]', straight),
  rule(dotted, unhyphenated),
  before(`${dotted}\\.`, '[,;:\u3001]', unhyphenated),
  rule('c\\+\\+|[cf]#'),
  exact(`[A-Z]+(?:(?:${and}|\\+)[A-Z]+)+`, (text) => text.replace(/&amp;/gi, '&')),
  rule(String.raw`[a-z0-9]+(?:-[a-z]+){0,2}(?:\\?/[a-z0-9]+(?:-[a-z]+){0,2}){1,2}`),
  before(`${alphanumeric}+(?:\\.${alphanumeric}+)*\\.(?:${fileExtensions})`, `${blank}|[.?!,]`),
]

const smileys: readonly Rule[] = [
  beforeExact(String.raw`[<>]?[:;=][-o*']?[()DPdpO\\{@|\[\]]`, '[^A-Za-z0-9]', bracketed),
  rule(
    String.raw`[\^x=~<>]\.[\^x=~<>]|[-\^x=~<>']_[-\^x=~<>']|\([-\^x=~<>'][_.]?[-\^x=~<>']\)|\([\^x=~<>']-[\^x=~<>'\x60]\)`,
    bracketed,
  ),
]

const straightQuotes: Readonly<Record<string, string>> = {
  '\u2018': '`',
  '\u201b': '`',
  '\u2039': '`',
  '\x91': '`',
  '\u2019': "'",
  '\u203a': "'",
  '\x92': "'",
  '\u201c': '``',
  '\xab': '``',
  '\x93': '``',
  '\u201d': "''",
  '\xbb': "''",
  '\x94': "''",
}
const quotes = (text: string) => [...text].map((mark) => straightQuotes[mark] ?? mark).join('')

const brackets = { '(': '-LRB-', ')': '-RRB-', '[': '-LSB-', ']': '-RSB-', '{': '-LCB-', '}': '-RCB-' } as const
/** What is left as punctuation: single marks are dropped by the caption tools, others count as words. */
const punctuation: readonly Rule[] = [
  rule('[()\\[\\]{}]', (text) => brackets[text as keyof typeof brackets]),
  rule('\\.{3,5}|(?:\\.[ \\xa0]){2,4}\\.', as('')),
  rule('&nbsp;', as('')),
  rule('&#[0-9]+;'),
  rule('<<?|>>?'),
  rule('&lt;', as('<')),
  rule('&gt;', as('>')),
  rule('-+', (text) => (text.length <= 4 ? '' : text)),
  rule('[\\x96\\x97\\u2013-\\u2015]|&(?:md|mdash|ndash);', as('')),
  rule(String.raw`(?:\\\*){1,3}|\*+|@+|#+|_+|=|/|\\|[+%&~^|]`),
  rule('&amp;', as('&')),
  rule('[!?]+', (text) => (text.length === 1 ? '' : text)),
  rule('[.,:;\\u2026\\x85]', as('')),
  exact('&quot;|&apos;', as('')),
  rule('&quot;|&apos;'),
  before("'", String.raw`[A-Za-z][^ \t\n\r\xa0]`, as('')),
  rule(clitic, straight),
  rule(`''|["']`, as('')),
  rule('[\\x60\\x91-\\x94\\u2018-\\u201f\\u2039\\u203a\\xab\\xbb]{1,2}', quotes),
  rule(`[${symbols}]`),
]

export const rules: readonly Rule[] = [
  ...words,
  ...elisions,
  ...web,
  ...clitics,
  ...numbers,
  ...currency,
  ...abbreviated,
  ...compounds,
  ...smileys,
  ...punctuation,
]
