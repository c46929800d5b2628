/** Where the tests find files, whatever folder they were compiled into. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The nearest folder above this file that has a package.json. */
export const repositoryRoot = ((): string => {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
})()

/** The reference tree: `REFERENCE_DIR`, else the copy inside the repository. */
export const referenceDir = process.env.REFERENCE_DIR ?? join(repositoryRoot, 'test', 'reference')
