import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { repositoryRoot } from '../support/paths.ts'

/** Which folders of `src` each folder may import from (itself, `errors.ts` and `random.ts` always). docs/decisions/0001-layers.md. */
const allowed: Record<string, readonly string[]> = {
  graph: [],
  ops: ['graph'],
  autodiff: ['graph', 'ops'],
  nn: ['graph', 'ops'],
  models: ['graph', 'ops', 'nn'],
  checkpoints: [],
  metrics: [],
  images: [],
  tokenizers: [],
  data: ['images'],
  optim: [],
  runtime: ['graph', 'optim'],
  generation: [],
  tasks: ['graph', 'models', 'nn', 'checkpoints', 'runtime', 'images', 'tokenizers', 'generation'],
  training: [
    'graph',
    'models',
    'nn',
    'autodiff',
    'checkpoints',
    'runtime',
    'images',
    'tokenizers',
    'data',
    'optim',
    'tasks',
  ],
  evaluation: ['models', 'checkpoints', 'images', 'tokenizers', 'generation', 'metrics', 'tasks'],
  cli: [
    'graph',
    'models',
    'nn',
    'checkpoints',
    'runtime',
    'images',
    'tokenizers',
    'generation',
    'metrics',
    'tasks',
    'evaluation',
    'training',
  ],
}

const sourceFiles = readdirSync(join(repositoryRoot, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.replaceAll('\\', '/'))

function imports(file: string): string[] {
  const text = readFileSync(join(repositoryRoot, 'src', file), 'utf8')
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] as string)
}

test('every import points down the layers', () => {
  const wrong: string[] = []
  for (const file of sourceFiles) {
    const folder = file.includes('/') ? (file.split('/')[0] as string) : ''
    if (folder === '') continue
    assert.ok(folder in allowed, `src/${folder} has no row in the table of layers`)
    for (const specifier of imports(file).filter((name) => name.startsWith('.'))) {
      const target = new URL(specifier, `file:///src/${file}`).pathname.replace('/src/', '')
      const targetFolder = target.split('/')[0] as string
      if (
        target === 'errors.ts' ||
        target === 'random.ts' ||
        targetFolder === folder ||
        allowed[folder]?.includes(targetFolder)
      )
        continue
      wrong.push(`${file} imports ${specifier}`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('only runtime imports onnxruntime', () => {
  const wrong = sourceFiles.filter(
    (file) => !file.startsWith('runtime/') && imports(file).some((name) => name.startsWith('onnxruntime')),
  )
  assert.deepEqual(wrong, [])
})

test('node modules stay in the command line and in files named node.ts', () => {
  const wrong = sourceFiles.filter(
    (file) =>
      !file.startsWith('cli/') &&
      !/(^|\/)node(-[a-z0-9]+)*\.ts$/.test(file) &&
      imports(file).some((name) => name.startsWith('node:')),
  )
  assert.deepEqual(wrong, [])
})
