#!/usr/bin/env node
// In the repository, not in dist/, so that npx can link it before the first build of a clone.
import { existsSync } from 'node:fs'

const main = new URL('../dist/cli/main.js', import.meta.url)
if (existsSync(main)) {
  await import(main.href)
} else {
  process.stderr.write('error: blip2 is not built yet; run `npm ci && npm run build` in the clone\n')
  process.exitCode = 1
}
