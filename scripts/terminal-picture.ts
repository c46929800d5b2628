/** Pictures in a terminal: two pixels a character, the upper half block in the upper one's colour on the lower one's. */
import type { WriteStream } from 'node:tty'
import type { RgbImage } from '../src/images/rgb-image.ts'

/** A line for every two rows of pixels. */
export function terminalPicture({ width, height, data }: RgbImage): string {
  const colour = (row: number, column: number) => data.slice((row * width + column) * 3, (row * width + column) * 3 + 3)
  const lines = Array.from({ length: Math.ceil(height / 2) }, (_, line) => {
    const cells = Array.from({ length: width }, (_, column) => {
      const upper = `\x1b[38;2;${colour(2 * line, column).join(';')}m`
      const lower = 2 * line + 1 < height ? `\x1b[48;2;${colour(2 * line + 1, column).join(';')}m` : '\x1b[49m'
      return `${upper}${lower}▀`
    })
    return `${cells.join('')}\x1b[0m\n`
  })
  return lines.join('')
}

/** Whether it is a terminal with colours (NO_COLOR and TERM say so) that is wide enough. */
export function showsPictures(stream: Pick<WriteStream, 'isTTY' | 'hasColors' | 'columns'>, width: number): boolean {
  return stream.isTTY === true && stream.hasColors() && stream.columns >= width
}
