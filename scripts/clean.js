// Empties build folders, so that nothing of an earlier build is run or packed.
import { rmSync } from 'node:fs'

for (const folder of process.argv.slice(2))
  rmSync(new URL(`../${folder}`, import.meta.url), { recursive: true, force: true })
