import assert from 'node:assert/strict'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { scanCacheDir } from '@huggingface/hub'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import { lackingBytes } from '../../src/checkpoints/node-cache.ts'
import {
  type DownloadProgress,
  downloadModel,
  downloadTokenizer,
  resolveModel,
} from '../../src/checkpoints/node-hub.ts'
import { CheckpointError } from '../../src/errors.ts'
import { loadTokenizer } from '../../src/tokenizers/node.ts'
import { safetensorsBytes, temporaryFolder } from './files.ts'
import { commit, gitHash, type Hub, sha256, startHub } from './hub-server.ts'
import { stateDict, tensor, torchZip } from './torch-files.ts'

const text = (content: string): Uint8Array => Buffer.from(content)
const bytes = (name: string, length: number) =>
  safetensorsBytes({ [name]: { dtype: 'U8', shape: [length], data_offsets: [0, length] } }, length)

const first = 'model-00001-of-00002.safetensors'
const second = 'model-00002-of-00002.safetensors'
const needed = {
  'config.json': text('{"model_type":"blip-2"}'),
  'tokenizer.json': text('{}'),
  'preprocessor_config.json': text('{ }'),
  'model.safetensors.index.json': text(JSON.stringify({ weight_map: { a: first, b: second } })),
  [first]: bytes('a', 300_000),
  [second]: bytes('b', 200_000),
}
const unneeded = { 'README.md': text('# tiny'), 'pytorch_model.bin': text('PK'), 'model.fp16.safetensors': text('no') }

interface World {
  readonly hub: Hub
  readonly cacheDir: string
  /** models--org--tiny. */
  readonly folder: string
  readonly options: { endpoint: string; cacheDir: string; offline: false; token: string; retries: number }
}

async function world(t: TestContext, files: Record<string, Uint8Array> = { ...unneeded, ...needed }): Promise<World> {
  const hub = await startHub(t, files)
  const cacheDir = join(temporaryFolder(t), 'hub')
  const options = { endpoint: hub.endpoint, cacheDir, offline: false as const, token: '', retries: 0 }
  return { hub, cacheDir, folder: join(cacheDir, 'models--org--tiny'), options }
}

async function refused(promise: Promise<unknown>, ...patterns: RegExp[]): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof CheckpointError, String(error))
    for (const pattern of patterns) assert.match(error.message, pattern)
    return true
  })
}

/** Nothing in the cache looks whole that is not: each blob has the hash of its name, each link leads to one. */
function checkCache(folder: string): void {
  for (const name of existsSync(join(folder, 'blobs')) ? readdirSync(join(folder, 'blobs')) : []) {
    if (name.endsWith('.incomplete')) continue
    const content = readFileSync(join(folder, 'blobs', name))
    assert.equal(name, name.length === 64 ? sha256(content) : gitHash(content))
  }
  const snapshot = join(folder, 'snapshots', commit)
  for (const name of existsSync(snapshot) ? readdirSync(snapshot) : [])
    assert.ok(existsSync(join(snapshot, name)), name)
}

test('a download: the needed files, in the layout of huggingface_hub', async (t) => {
  const { hub, cacheDir, folder, options } = await world(t)
  const snapshot = await downloadModel('org/tiny', options)
  assert.equal(snapshot, join(folder, 'snapshots', commit))
  assert.deepEqual(readdirSync(snapshot).sort(), Object.keys(needed).sort())
  for (const [name, content] of Object.entries(needed)) {
    assert.deepEqual(new Uint8Array(readFileSync(join(snapshot, name))), new Uint8Array(content))
    const oid = content.length > 1000 ? sha256(content) : gitHash(content)
    assert.equal(readlinkSync(join(snapshot, name)), join('..', '..', 'blobs', oid))
  }
  assert.equal(readFileSync(join(folder, 'refs', 'main'), 'utf8'), commit)
  assert.deepEqual([...(await openCheckpoint(snapshot)).tensors.keys()], ['a', 'b'])
  // A second reader of the layout: the library's own.
  const { repos, warnings } = await scanCacheDir(cacheDir)
  assert.deepEqual(warnings, [])
  assert.deepEqual(
    repos.map(({ id, filesCount, revisions }) => [id.name, filesCount, revisions[0]?.refs]),
    [['org/tiny', 6, ['main']]],
  )
  assert.ok(!hub.requests.some((request) => /README|\.bin|fp16/.test(request)))
})

test('a second download asks for the commit and the listing, and for no file', async (t) => {
  const { hub, options } = await world(t)
  const snapshot = await downloadModel('org/tiny', options)
  hub.requests.length = 0
  assert.equal(await downloadModel('org/tiny', options), snapshot)
  assert.deepEqual(hub.requests, ['GET /api/models/org/tiny/revision/main', `GET /api/models/org/tiny/tree/${commit}`])
})

test('a revision: a tag, a pull request, and a commit, which needs no request once it is cached', async (t) => {
  const { hub, folder, options } = await world(t)
  const snapshot = await downloadModel('org/tiny', { ...options, revision: 'v1' })
  assert.equal(readFileSync(join(folder, 'refs', 'v1'), 'utf8'), commit)
  assert.equal(await downloadModel('org/tiny', { ...options, revision: 'refs/pr/3' }), snapshot)
  assert.equal(readFileSync(join(folder, 'refs', 'refs', 'pr', '3'), 'utf8'), commit)
  hub.requests.length = 0
  assert.equal(await downloadModel('org/tiny', { ...options, revision: commit }), snapshot)
  assert.deepEqual(hub.requests, [])
})

test('progress counts all files, and ends at the total', async (t) => {
  const { options } = await world(t)
  const seen: DownloadProgress[] = []
  await downloadModel('org/tiny', { ...options, onProgress: (progress) => seen.push(progress) })
  const total = Object.values(needed).reduce((sum, { length }) => sum + length, 0)
  assert.ok(seen.every(({ totalBytes }) => totalBytes === total))
  for (const [i, { loadedBytes }] of seen.entries()) assert.ok(loadedBytes >= (seen[i - 1]?.loadedBytes ?? 0))
  assert.deepEqual(seen.at(-1), { file: second, loadedBytes: total, totalBytes: total })
})

test('a broken connection leaves a part, and the next call goes on from there', async (t) => {
  const { hub, folder, options } = await world(t)
  hub.faults.cutAfter = [100_000]
  await refused(
    downloadModel('org/tiny', options),
    /org\/tiny@main: cannot reach http.*: the connection broke after 100\.0 kB of 300\.\d kB/,
    /goes on where it stopped/,
  )
  checkCache(folder)
  const partial = join(folder, 'blobs', `${sha256(needed[first]!)}.incomplete`)
  assert.equal(statSync(partial).size, 100_000)
  assert.ok(!existsSync(join(folder, 'snapshots', commit, first)))
  hub.requests.length = 0
  const loaded: number[] = []
  await downloadModel('org/tiny', { ...options, onProgress: ({ loadedBytes }) => loaded.push(loadedBytes) })
  assert.deepEqual(
    hub.requests.filter((request) => request.startsWith(`GET /${first}`)),
    [`GET /${first} bytes=100000-`],
  )
  assert.ok(loaded[0]! >= 100_000, 'the part that was there counts')
  assert.ok(!existsSync(partial))
  checkCache(folder)
})

test('within one call a broken connection is taken up again', async (t) => {
  const { hub, folder, options } = await world(t)
  hub.faults.cutAfter = [70_000, 80_000]
  await downloadModel('org/tiny', { ...options, retries: 1 })
  assert.deepEqual(
    hub.requests.filter((request) => request.startsWith(`GET /${first}`)),
    [`GET /${first}`, `GET /${first} bytes=70000-`, `GET /${first} bytes=150000-`],
  )
  checkCache(folder)
})

test('a server that ignores the range sends all of it again', async (t) => {
  const { hub, folder, options } = await world(t)
  hub.faults.cutAfter = [100_000]
  await assert.rejects(downloadModel('org/tiny', options))
  hub.faults.ignoreRange = true
  await downloadModel('org/tiny', options)
  checkCache(folder)
})

test('an abort leaves a part, and nothing that looks whole', async (t) => {
  const { hub, folder, options } = await world(t)
  hub.faults.stallAfter = 120_000
  const controller = new AbortController()
  const reason = new Error('enough')
  const onProgress = ({ file, loadedBytes }: DownloadProgress) => {
    if (file === first && loadedBytes > 100_000) setImmediate(() => controller.abort(reason))
  }
  await assert.rejects(downloadModel('org/tiny', { ...options, signal: controller.signal, onProgress }), reason)
  checkCache(folder)
  assert.ok(!existsSync(join(folder, 'snapshots', commit, first)))
  assert.ok(!existsSync(join(folder, 'refs', 'main')))
  const part = statSync(join(folder, 'blobs', `${sha256(needed[first]!)}.incomplete`)).size
  assert.ok(part > 0 && part <= 120_000, String(part))
  delete hub.faults.stallAfter
  await downloadModel('org/tiny', options)
  assert.ok(hub.requests.includes(`GET /${first} bytes=${part}-`))
  checkCache(folder)
  await assert.rejects(downloadModel('org/tiny', { ...options, signal: AbortSignal.abort(reason) }), reason)
})

test('wrong content is found by its hash and not kept', async (t) => {
  const { hub, folder, options } = await world(t)
  hub.faults.corrupt = 1
  await refused(
    downloadModel('org/tiny', options),
    new RegExp(`${first}: the content does not have the hash ${sha256(needed[first]!)}`),
  )
  checkCache(folder)
  await downloadModel('org/tiny', options)
  checkCache(folder)
})

test('a wrong beginning, left by something else, is dropped and the file fetched again', async (t) => {
  const { hub, folder, options } = await world(t)
  mkdirSync(join(folder, 'blobs'), { recursive: true })
  const blob = join(folder, 'blobs', sha256(needed[first]!))
  writeFileSync(`${blob}.incomplete`, new Uint8Array(1000))
  await downloadModel('org/tiny', options)
  assert.deepEqual(
    hub.requests.filter((request) => request.startsWith(`GET /${first}`)),
    [`GET /${first} bytes=1000-`, `GET /${first}`],
  )
  checkCache(folder)
})

test('parts that are complete, too long, or blobs of the wrong size', async (t) => {
  const { hub, folder, options } = await world(t)
  mkdirSync(join(folder, 'blobs'), { recursive: true })
  writeFileSync(join(folder, 'blobs', `${sha256(needed[first]!)}.incomplete`), needed[first]!)
  writeFileSync(join(folder, 'blobs', `${sha256(needed[second]!)}.incomplete`), new Uint8Array(1_000_000))
  writeFileSync(join(folder, 'blobs', gitHash(needed['config.json']!)), '{')
  await downloadModel('org/tiny', options)
  assert.ok(!hub.requests.includes(`GET /${first}`), 'a complete part needs no request')
  checkCache(folder)
})

test('offline: the cached snapshot without any request, or an explanation', async (t) => {
  const { hub, folder, options } = await world(t)
  const offline = { ...options, offline: true }
  await refused(
    downloadModel('org/tiny', offline),
    /org\/tiny@main: offline, and .*models--org--tiny lacks all of it; run once without HF_HUB_OFFLINE/,
  )
  hub.faults.cutAfter = [10]
  await assert.rejects(downloadModel('org/tiny', { ...options, revision: commit }))
  await refused(downloadModel('org/tiny', { ...offline, revision: commit }), new RegExp(`lacks ${first}, ${second};`))
  const snapshot = await downloadModel('org/tiny', options)
  hub.requests.length = 0
  assert.equal(await downloadModel('org/tiny', offline), snapshot)
  await refused(downloadModel('org/tiny', { ...offline, revision: 'v1' }), /lacks all of it/)
  assert.deepEqual(hub.requests, [])
  checkCache(folder)
})

test('the hub cannot be reached: what is cached is used, with a notice', async (t) => {
  const { options } = await world(t)
  const dead = { ...options, endpoint: 'http://127.0.0.1:9' }
  const other = {
    ...dead,
    fetch: () => Promise.reject(new TypeError('fetch failed', { cause: new Error('getaddrinfo ENOTFOUND') })),
  }
  await refused(
    downloadModel('org/tiny', other),
    /org\/tiny@main: cannot reach http:\/\/127\.0\.0\.1:9: fetch failed: getaddrinfo ENOTFOUND; .*HF_ENDPOINT.*local folder/,
  )
  const snapshot = await downloadModel('org/tiny', options)
  const notices: string[] = []
  assert.equal(await downloadModel('org/tiny', { ...other, onNotice: (notice) => notices.push(notice) }), snapshot)
  assert.equal(notices.length, 1)
  assert.match(notices[0]!, /cannot reach .*; using .*snapshots/)
})

test('refusals of the hub are explained', async (t) => {
  const { hub, options } = await world(t)
  await refused(
    downloadModel('org/other', options),
    /org\/other@main: there is no model of this name at http.*, or it is private; check the name, or set HF_TOKEN.*404/,
  )
  await refused(downloadModel('org/tiny', { ...options, revision: 'v9' }), /org\/tiny@v9: there is no such revision/)
  for (const [refuse, message] of [
    [[401], /no model of this name .*HF_TOKEN.*401/],
    [[401, 'GatedRepo'], /access is gated; accept the terms .*HF_TOKEN/],
    [[403], /access is gated/],
    [[429], /asks to slow down/],
    [[503], /does not work at present; try again later/],
  ] as [[number, string?], RegExp][]) {
    hub.faults.refuse = refuse
    await refused(downloadModel('org/tiny', options), message)
  }
  delete hub.faults.refuse
  hub.faults.page = true
  await refused(downloadModel('org/tiny', options), /does not answer like a hub \(.*JSON.*\); check HF_ENDPOINT/)
  for (const name of ['tiny', '../tiny', 'org/tiny/x', 'org/..', 'a b/c'])
    await refused(downloadModel(name, options), /expected a repository of the hub/)
  for (const revision of ['../x', '/etc/x', 'C:\\x', ''])
    await refused(downloadModel('org/tiny', { ...options, revision }), /expected a branch, a tag or a commit/)
})

test('the token opens a gated model, and does not go to the storage behind the hub', async (t) => {
  const { hub, options } = await world(t)
  hub.faults.token = 'hf_secret'
  await refused(downloadModel('org/tiny', options), /gated/)
  await downloadModel('org/tiny', { ...options, token: 'hf_secret' })
  await refused(
    downloadModel('org/tiny', { ...options, token: 'secret' }),
    /HF_TOKEN: expected a token of the hub, which begins with hf_/,
  )
})

test('a disk that is too small is noticed before the download', async (t) => {
  const { hub, options } = await world(t)
  hub.faults.statedSize = 4e15
  await refused(
    downloadModel('org/tiny', options),
    /org\/tiny@main: 8000 TB are to be downloaded, \d.*B are free in .*; free some space, or set HF_HOME/,
  )
  assert.ok(!hub.requests.some((request) => request.includes('resolve')))
})

test('the part that is there needs no space again', async (t) => {
  const folder = temporaryFolder(t)
  const file = { path: 'm', size: 1000, oid: sha256(text('m')) }
  const blob = join(folder, 'blobs', file.oid)
  mkdirSync(join(folder, 'blobs'))
  assert.equal(await lackingBytes(folder, file), 1000)
  writeFileSync(`${blob}.incomplete`, new Uint8Array(900))
  assert.equal(await lackingBytes(folder, file), 100)
  writeFileSync(blob, new Uint8Array(1000))
  assert.equal(await lackingBytes(folder, file), 0)
})

test('a disk that fills during the download', {
  skip: process.platform !== 'linux' && '/dev/full is Linux',
}, async (t) => {
  const { folder, options } = await world(t)
  mkdirSync(join(folder, 'blobs'), { recursive: true })
  symlinkSync('/dev/full', join(folder, 'blobs', `${sha256(needed[first]!)}.incomplete`))
  await refused(downloadModel('org/tiny', options), /incomplete: the disk is full: 300\.\d kB are needed, .* are free/)
  checkCache(folder)
})

test('repositories that cannot be used', async (t) => {
  const { options } = await world(t, { 'config.json': text('{}'), 'model.fp16.safetensors': text('no') })
  await refused(
    downloadModel('org/tiny', options),
    /no model\.safetensors, no .*, no pytorch_model\.bin, no .*index\.json; is this the repository of a model\?/,
  )
  const { [second]: _, ...without } = needed
  const shardless = await world(t, without)
  await refused(downloadModel('org/tiny', shardless.options), new RegExp(`the repository has no ${second}`))
})

test('one file of weights is taken before shards', async (t) => {
  const { options } = await world(t, { ...needed, 'model.safetensors': bytes('c', 5000) })
  const snapshot = await downloadModel('org/tiny', options)
  assert.ok(!readdirSync(snapshot).includes(first))
  assert.ok(lstatSync(join(snapshot, 'model.safetensors')).isSymbolicLink())
})

const firstBin = 'pytorch_model-00001-of-00002.bin'
const secondBin = 'pytorch_model-00002-of-00002.bin'
const torch = (name: string) => torchZip(stateDict({ [name]: tensor({ size: 500, shape: [500] }) }), { 0: 2000 })
const pytorch = {
  'config.json': text('{}'),
  'vocab.json': text('{"a":0}'),
  'merges.txt': text('#version: 0.2'),
  [firstBin]: torch('a'),
  [secondBin]: torch('b'),
  'pytorch_model.bin.index.json': text(JSON.stringify({ weight_map: { a: firstBin, b: secondBin } })),
}

test('a repository of PyTorch weights: one file, or shards with their index', async (t) => {
  const one = await world(t, {
    'config.json': text('{}'),
    'pytorch_model.bin': torch('c'),
    'training_args.bin': text('x'),
  })
  const single = await downloadModel('org/tiny', one.options)
  assert.deepEqual(readdirSync(single), ['config.json', 'pytorch_model.bin'])
  assert.deepEqual([...(await openCheckpoint(single)).tensors.keys()], ['c'])
  const several = await world(t, pytorch)
  const sharded = await downloadModel('org/tiny', several.options)
  assert.deepEqual(readdirSync(sharded).sort(), Object.keys(pytorch).sort())
  assert.deepEqual([...(await openCheckpoint(sharded)).tensors.keys()], ['a', 'b'])
})

test('shards in safetensors are taken before one PyTorch file', async (t) => {
  const { options } = await world(t, { ...needed, ...pytorch, 'pytorch_model.bin': torch('c') })
  const snapshot = await downloadModel('org/tiny', options)
  assert.ok(!readdirSync(snapshot).some((name) => name.endsWith('.bin')))
})

test('offline: PyTorch weights are whole, or the shards that lack are named', async (t) => {
  const { hub, options } = await world(t, pytorch)
  hub.faults.cutAfter = [10]
  await assert.rejects(downloadModel('org/tiny', { ...options, revision: commit }))
  const offline = { ...options, revision: commit, offline: true }
  await refused(downloadModel('org/tiny', offline), new RegExp(`lacks ${firstBin}, ${secondBin};`))
  const snapshot = await downloadModel('org/tiny', options)
  hub.requests.length = 0
  assert.equal(await downloadModel('org/tiny', offline), snapshot)
  assert.deepEqual(hub.requests, [])
})

const bert = {
  'vocab.txt': text('[PAD]\n[UNK]\n[CLS]\n[SEP]\na'),
  'tokenizer_config.json': text('{"do_lower_case":true}'),
}

test('a tokenizer alone, by an old name without an organisation', async (t) => {
  const { hub, cacheDir, options } = await world(t, { ...unneeded, ...bert, 'config.json': text('{}') })
  const folder = join(cacheDir, 'models--tiny')
  const snapshot = await downloadTokenizer('tiny', options)
  assert.equal(snapshot, join(folder, 'snapshots', commit))
  assert.deepEqual(readdirSync(snapshot).sort(), Object.keys(bert).sort())
  assert.deepEqual((await loadTokenizer(snapshot)).encode('A'), [2, 4, 3])
  checkCache(folder)
  hub.requests.length = 0
  assert.equal(await downloadTokenizer('tiny', { ...options, offline: true }), snapshot)
  assert.deepEqual(hub.requests, [])
})

test('of several forms of a vocabulary the first is downloaded', async (t) => {
  const forms: Record<string, Uint8Array> = { ...pytorch, ...bert, 'tokenizer.json': text('{}') }
  const names = async (of: Record<string, Uint8Array>, download = downloadTokenizer) =>
    readdirSync(await download('org/tiny', (await world(t, of)).options)).sort()
  const { 'tokenizer.json': _, ...two } = forms
  const { 'vocab.txt': __, ...one } = two
  assert.deepEqual(await names(forms), ['tokenizer.json', 'tokenizer_config.json'])
  assert.deepEqual(await names(two), ['tokenizer_config.json', 'vocab.txt'])
  assert.deepEqual(await names(one), ['merges.txt', 'tokenizer_config.json', 'vocab.json'])
  const model = await names(two, downloadModel)
  assert.ok(model.includes('vocab.txt') && !model.includes('vocab.json') && !model.includes('merges.txt'))
})

test('half a vocabulary is none', async (t) => {
  const { hub, options } = await world(t, { 'merges.txt': text('#version: 0.2'), 'vocab.json': text(' '.repeat(2000)) })
  hub.faults.cutAfter = [10]
  await assert.rejects(downloadTokenizer('org/tiny', { ...options, revision: commit }))
  const offline = { ...options, revision: commit, offline: true }
  await refused(
    downloadTokenizer('org/tiny', offline),
    /lacks tokenizer\.json or vocab\.txt or vocab\.json with merges/,
  )
  const snapshot = await downloadTokenizer('org/tiny', options)
  assert.equal(await downloadTokenizer('org/tiny', offline), snapshot)
})

test('tokenizers that cannot be had are explained', async (t) => {
  const { hub, options } = await world(t, {
    'config.json': text('{}'),
    'vocab.json': text('{}'),
    'spiece.model': text('x'),
  })
  await refused(
    downloadTokenizer('org/tiny', options),
    /org\/tiny@main: no tokenizer\.json, no vocab\.txt, no vocab\.json with merges\.txt; is this/,
  )
  await refused(
    downloadTokenizer('tiny', { ...options, offline: true }),
    /tiny@main: offline, and .*models--tiny lacks all of it; run once without HF_HUB_OFFLINE/,
  )
  await refused(
    downloadTokenizer('tiny', { ...options, revision: commit, offline: true }),
    /lacks tokenizer\.json or vocab\.txt or vocab\.json with merges\.txt;/,
  )
  await refused(downloadTokenizer('other', options), /other@main: there is no model of this name/)
  hub.requests.length = 0
  for (const name of ['../tiny', 'a/b/c', '..', 'a--b', 'a b', ''])
    await refused(downloadTokenizer(name, options), /expected a repository of the hub, such as bert-base-uncased/)
  assert.deepEqual(hub.requests, [])
})

test('the environment is honoured', async (t) => {
  const { hub } = await world(t)
  const home = temporaryFolder(t)
  const before = { ...process.env }
  t.after(() => {
    for (const name of Object.keys(process.env)) delete process.env[name]
    Object.assign(process.env, before)
  })
  for (const name of Object.keys(process.env))
    if (name.startsWith('HF_') || name.startsWith('HUGGING')) delete process.env[name]
  Object.assign(process.env, { HF_HOME: home, HF_ENDPOINT: `${hub.endpoint}/`, HF_TOKEN: 'hf_fromenv' })
  hub.faults.token = 'hf_fromenv'
  const snapshot = await downloadModel('org/tiny')
  assert.equal(snapshot, join(home, 'hub', 'models--org--tiny', 'snapshots', commit))
  delete process.env.HF_TOKEN
  writeFileSync(join(home, 'token'), 'hf_fromenv\n')
  const cacheDir = join(home, 'elsewhere')
  process.env.HF_HUB_CACHE = cacheDir
  assert.equal(await downloadModel('org/tiny'), join(cacheDir, 'models--org--tiny', 'snapshots', commit))
  process.env.HF_HUB_OFFLINE = '1'
  hub.requests.length = 0
  await downloadModel('org/tiny')
  assert.deepEqual(hub.requests, [])
})

test('resolveModel: a path as it is, a known name, a repository, or an explanation', async (t) => {
  const { folder, options } = await world(t)
  const here = temporaryFolder(t)
  const repositoryOf = (name: string) => (name === 'blip2_opt/tiny' ? 'org/tiny' : undefined)
  assert.equal(await resolveModel(here, options), here)
  const snapshot = join(folder, 'snapshots', commit)
  assert.equal(await resolveModel('blip2_opt/tiny', { ...options, repositoryOf }), snapshot)
  assert.equal(await resolveModel('org/tiny', options), snapshot)
  for (const source of ['tiny', './models/tiny', join(here, 'none'), 'models/x.safetensors'])
    await refused(
      resolveModel(source, options),
      /no such folder or file, and no name of a model; `blip2 models` lists the names/,
    )
})
