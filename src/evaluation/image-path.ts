import { DataError } from '../errors.ts'
import type { Id } from '../metrics/json.ts'

/** What an annotation file says about an image. */
export interface NamedImage {
  readonly id: Id
  /** Its name in the file, where the file names it; may have folders. */
  readonly file?: string
}

/**
 * The path of an image: `{id}` and `{id:12}` (with zeros in front, to 12 digits) are its id, `{file}` its name in the annotation file.
 * `where` begins the message.
 */
export function imagePath(template: string, { id, file }: NamedImage, where: string): string {
  return template.replace(/\{(id|file)(?::(\d+))?\}/g, (_, name, digits) => {
    if (name === 'id') return String(id).padStart(Number(digits ?? 0), '0')
    if (file !== undefined) return file
    throw new DataError(`${where}: expected the image's file name, which ${template} is made of, found none`)
  })
}
