/**
 * The package as its users get it: packed, installed into an empty folder, run. `npm test` builds `dist` before; what is packed is
 * what is there. Needs the npm registry (or its cache) for the dependencies.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { repositoryRoot } from '../support/paths.ts'

/** What `import { … } from 'blip2'` offers. A change here is a change for every user: note it in the changelog. */
const publicNames = [
  'Blip2Error',
  'CheckpointError',
  'ConfigError',
  'DataError',
  'GradientError',
  'SessionError',
  'ShapeError',
  'findPreset',
  'inferenceModel',
  'loadBlip2',
  'presets',
  'removeWork',
  'retrieve',
]

/** And `import { … } from 'blip2/metrics'`. */
const metricsNames = [
  'cider',
  'createCorpus',
  'evaluateCaptions',
  'evaluateGqa',
  'evaluateRetrieval',
  'evaluateVqa',
  'pairAnswers',
  'pairCaptions',
  'pairGqaAnswers',
  'placesOf',
  'readPairs',
  'tokenize',
  'tokenizeImages',
]

const publicTypes = [
  'Answer',
  'Asked',
  'Blip2',
  'Blip2Config',
  'Caption',
  'Chat',
  'EncodedImage',
  'FeatureInput',
  'FeatureInputs',
  'Features',
  'FeatureTensor',
  'GeneratedText',
  'GenerationOptions',
  'ImageInput',
  'LoadOptions',
  'LoadProgress',
  'Match',
  'MatchOptions',
  'Preset',
  'PromptedInput',
  'RetrievalConfig',
  'RgbImage',
  'TaskOptions',
  'TimingMs',
]

interface Packed {
  readonly filename: string
  /** Bytes of the tarball, and of its files. */
  readonly size: number
  readonly unpackedSize: number
  readonly files: readonly { readonly path: string; readonly size: number }[]
}

const folder = mkdtempSync(join(tmpdir(), 'blip2-package-'))
const project = join(folder, 'project')
let packed: Packed

/** Standard output of a command that must succeed. */
async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  // Not the variables of the `npm test` that this may run under.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(?!config_)|^INIT_CWD$/.test(name)),
  )
  const { stdout } = await promisify(execFile)(command, args, { cwd, env, maxBuffer: 2 ** 24 })
  return stdout
}

before(async () => {
  assert.ok(existsSync(join(repositoryRoot, 'dist', 'cli', 'main.js')), 'no dist: run `npm run build` first')
  packed = JSON.parse(await run('npm', ['pack', '--json', '--pack-destination', folder], repositoryRoot))[0]
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "name": "project", "private": true, "type": "module" }')
  const tarball = join(folder, packed.filename)
  await run('npm', ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', tarball], project)
  cpSync(join(repositoryRoot, 'examples', 'demo'), join(project, 'demo'), { recursive: true })
})
after(() => rmSync(folder, { recursive: true, force: true }))

test('the tarball has the compiled sources, the built-in models and the documents, nothing else', () => {
  const paths = packed.files.map(({ path }) => path)
  for (const path of [
    'LICENSE',
    'README.md',
    'bin/blip2.js',
    'dist/index.js',
    'dist/index.d.ts',
    'dist/cli/main.js',
    'configs/vqav2.yaml',
    'recipes/stage1-vitg.yaml',
    'models/scenes/model.safetensors',
    'models/scenes-retrieval/model.safetensors',
  ]) {
    assert.ok(paths.includes(path), path)
  }
  const named =
    /^(LICENSE|README\.md|CHANGELOG\.md|FEATURES\.md|package\.json|bin\/blip2\.js|(?:configs|recipes)\/[\w.-]+\.yaml)$/
  const model = /^models\/scenes(?:-retrieval)?\/(?:qformer_tokenizer\/)?[\w.]+$/
  const unexpected = paths.filter((path) => !named.test(path) && !model.test(path) && !isCompiled(path))
  assert.deepEqual(unexpected, [], 'not compiled from src (an old dist? `rm -r dist` and build again)')
  const models = packed.files.reduce((sum, { path, size }) => sum + (model.test(path) ? size : 0), 0)
  assert.ok(packed.size < 600_000 + models, `${packed.size} bytes`)
  assert.ok(packed.unpackedSize < 2_200_000 + models, `${packed.unpackedSize} bytes unpacked`)
})

/** dist/a/b.js or .d.ts of a source that is still there. */
function isCompiled(path: string): boolean {
  const source = /^dist\/(.+)\.(?:js|d\.ts)$/.exec(path)?.[1]
  return source !== undefined && existsSync(join(repositoryRoot, 'src', `${source}.ts`))
}

test('npx blip2 in the folder where it was installed', async () => {
  const { version } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8'))
  assert.equal(await run('npx', ['blip2', '--version'], project), `${version}\n`)
  const caption = ['blip2', 'caption', 'demo/scene.png', '--model', 'demo/tiny-blip2', '--json']
  const { image, pred_caption } = JSON.parse(await run('npx', caption, project))
  assert.equal(image, 'demo/scene.png')
  assert.notEqual(pred_caption, '')
})

test('the built-in model is the default, by name in the library', async () => {
  const caption = ['blip2', 'caption', 'demo/scenes/1.png', '--json']
  const { pred_caption, model } = JSON.parse(await run('npx', caption, project))
  assert.equal(model, 'scenes')
  const script = `
    import { inferenceModel } from 'blip2'
    console.log(JSON.stringify(await inferenceModel('scenes', 'demo/scenes/1.png')))`
  writeFileSync(join(project, 'built-in.js'), script)
  assert.deepEqual(JSON.parse(await run('node', ['built-in.js'], project)), { pred_caption })
  assert.notEqual(pred_caption, '')
})

test('the library: its public names, and a caption', async () => {
  const script = `
    import * as blip2 from 'blip2'
    const { pred_caption } = await blip2.inferenceModel('demo/tiny-blip2', 'demo/scene.png')
    console.log(JSON.stringify({ names: Object.keys(blip2), pred_caption }))`
  writeFileSync(join(project, 'use.js'), script)
  const { names, pred_caption } = JSON.parse(await run('node', ['use.js'], project))
  assert.deepEqual(names, publicNames)
  assert.notEqual(pred_caption, '')
})

test('the metrics: their public names, and a score', async () => {
  const script = `
    import * as metrics from 'blip2/metrics'
    const { CIDEr } = metrics.evaluateCaptions({ candidates: ['a dog'], references: [['A dog.']] }).metrics
    console.log(JSON.stringify({ names: Object.keys(metrics), score: CIDEr.corpus }))`
  writeFileSync(join(project, 'score.js'), script)
  assert.deepEqual(JSON.parse(await run('node', ['score.js'], project)), { names: metricsNames, score: 0 })
})

test('every entry of the exports map can be imported', async () => {
  const { name, exports } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8'))
  const entries = Object.keys(exports).filter((path) => !path.endsWith('.json'))
  const imports = entries.map((path) => `await import('${join(name, path)}')`)
  writeFileSync(join(project, 'entries.js'), imports.join('\n'))
  assert.equal(await run('node', ['entries.js'], project), '')
})

test('the types: a strict TypeScript project compiles against them', async () => {
  const program = `
    import { ${publicTypes.map((name) => `type ${name}`).join(', ')}, loadBlip2 } from 'blip2'
    export type All = [${publicTypes.join(', ')}]
    const model: Blip2 = await loadBlip2('demo/tiny-blip2', { signal: AbortSignal.timeout(1000) })
    const { pred_caption }: Caption = await model.caption('demo/scene.png', { numBeams: 1 })
    for await (const piece of model.stream(new URL('https://example.org/a.jpg'))) piece.toUpperCase()
    // @ts-expect-error: an option that does not exist
    await model.caption('demo/scene.png', { maxLength: 20 })
    pred_caption.toUpperCase()`
  writeFileSync(join(project, 'use.ts'), program)
  const options = [
    '--noEmit',
    '--strict',
    '--target',
    'es2023',
    '--module',
    'nodenext',
    '--types',
    'node',
    '--typeRoots',
    join(repositoryRoot, 'node_modules', '@types'),
  ]
  const tsc = join(repositoryRoot, 'node_modules', 'typescript', 'bin', 'tsc')
  await run('node', [tsc, ...options, 'use.ts'], project).catch((error) => assert.fail(error.stdout))
})
