/** String functions of Python, whose white space is not JavaScript's: with U+001C to U+001F and U+0085, without U+FEFF. */

const spaces = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+'
const between = new RegExp(spaces)
const around = new RegExp(`^${spaces}|${spaces}$`, 'g')

/** `text.split()`: no empty words. */
export function split(text: string): string[] {
  return text.split(between).filter((word) => word !== '')
}

/** `text.strip()` */
export function strip(text: string): string {
  return text.replace(around, '')
}
