/** Models and tokenizers by name: from the Hugging Face hub, into the cache that Python's huggingface_hub shares. */
import { mkdir, readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { getHFHubCachePath, HUB_URL, listFiles, modelInfo } from '@huggingface/hub'
import { CheckpointError } from '../errors.ts'
import { type HubFile, isBareName, isCommit, isRepositoryName, modelFiles, refusal, tokenizerFiles } from './hub.ts'
import {
  blobPath,
  cachedCommit,
  hasBlob,
  lackingBytes,
  linkIntoSnapshot,
  missingModelFiles,
  missingTokenizerFiles,
  rememberCommit,
  repositoryFolder,
  snapshotPath,
} from './node-cache.ts'
import { errorCode, fileError, formatBytes, freeBytes } from './node-errors.ts'
import { fetchFile, isNetworkFailure } from './node-transfer.ts'

/** Bytes over all files of a download, with those that were there before. `file` is the one that is arriving. */
export interface DownloadProgress {
  readonly file: string
  readonly loadedBytes: number
  readonly totalBytes: number
}

export interface DownloadOptions {
  /** Branch, tag or commit. Default `main`. A commit is reproducible, and once cached needs no request. */
  readonly revision?: string
  /** Default `HF_HUB_CACHE`, else `HF_HOME`/hub, else ~/.cache/huggingface/hub. */
  readonly cacheDir?: string
  /** Default `HF_TOKEN`, else what `hf auth login` stored. */
  readonly token?: string
  /** Use the cache alone, without any request. Default `HF_HUB_OFFLINE`. */
  readonly offline?: boolean
  /** Default `HF_ENDPOINT`, else https://huggingface.co. */
  readonly endpoint?: string
  readonly onProgress?: (progress: DownloadProgress) => void
  /** Told where the result is not quite what was asked for: the hub cannot be reached and the cached snapshot is used. */
  readonly onNotice?: (notice: string) => void
  readonly signal?: AbortSignal
  /** Failures of a transfer in a row, without progress between them, that are tried again. Default 4, over some 8 seconds. */
  readonly retries?: number
  readonly fetch?: typeof fetch
}

/** What is wanted of a repository. */
interface Wanted {
  readonly files: (listed: readonly HubFile[], where: string) => HubFile[]
  /** What a snapshot lacks of it. */
  readonly missing: (snapshot: string) => Promise<string[]>
}

const model: Wanted = { files: modelFiles, missing: missingModelFiles }
const tokenizer: Wanted = { files: tokenizerFiles, missing: missingTokenizerFiles }

/**
 * The folder of a snapshot with config.json, tokenizer and weights of a repository such as `Salesforce/blip2-opt-2.7b`; what the cache
 * lacks is downloaded. Throws CheckpointError, or the signal's reason; what arrived until then is kept for the next call.
 */
export async function downloadModel(repository: string, options: DownloadOptions = {}): Promise<string> {
  if (!isRepositoryName(repository))
    throw new CheckpointError(`"${repository}": expected a repository of the hub, such as Salesforce/blip2-opt-2.7b`)
  return download(repository, model, options)
}

/** The same for the tokenizer alone. `repository` may be an old name without an organisation, such as `bert-base-uncased`. */
export async function downloadTokenizer(repository: string, options: DownloadOptions = {}): Promise<string> {
  if (!isRepositoryName(repository) && !isBareName(repository))
    throw new CheckpointError(`"${repository}": expected a repository of the hub, such as bert-base-uncased`)
  return download(repository, tokenizer, options)
}

async function download(repository: string, wanted: Wanted, options: DownloadOptions): Promise<string> {
  const revision = options.revision ?? 'main'
  const folder = repositoryFolder(options.cacheDir ?? getHFHubCachePath(), repository)
  const offline = options.offline ?? /^(1|true|yes|on)$/i.test(process.env.HF_HUB_OFFLINE ?? '')
  const cached = await cachedSnapshot(folder, revision, wanted)
  if (cached.complete && (offline || isCommit(revision))) return cached.path
  const where = `${repository}@${revision}`
  if (offline)
    throw new CheckpointError(
      `${where}: offline, and ${folder} lacks ${cached.lacks}; run once without HF_HUB_OFFLINE, or give a local folder`,
    )
  try {
    return await downloadSnapshot(repository, revision, folder, wanted, options)
  } catch (error) {
    options.signal?.throwIfAborted()
    if (!isNetworkFailure(error)) throw explained(error, where, endpointOf(options))
    const unreachable = networkError(where, endpointOf(options), error)
    if (!cached.complete) throw unreachable
    options.onNotice?.(`${unreachable.message}; using ${cached.path}`)
    return cached.path
  }
}

export interface ResolveOptions extends DownloadOptions {
  /** The repository behind a name or alias, e.g. `findPreset(name)?.repository`. */
  readonly repositoryOf?: (name: string) => string | undefined
}

/** Where a model is: a folder or file as it is; a known name or a repository of the hub (`org/name`) after its download. */
export async function resolveModel(source: string, options: ResolveOptions = {}): Promise<string> {
  if (await exists(source)) return source
  const repository = options.repositoryOf?.(source) ?? source
  if (isRepositoryName(repository) && !/\.(safetensors|json|bin|pth?)$/.test(repository))
    return downloadModel(repository, options)
  throw new CheckpointError(
    `${source}: no such folder or file, and no name of a model; \`blip2 models\` lists the names, any org/name of the hub will do`,
  )
}

async function downloadSnapshot(
  repository: string,
  revision: string,
  folder: string,
  wanted: Wanted,
  options: DownloadOptions,
): Promise<string> {
  const where = `${repository}@${revision}`
  const endpoint = endpointOf(options)
  const token = await tokenOf(options)
  const fetch = hubFetch(where, options)
  const hub = { hubUrl: endpoint, fetch, ...(token === undefined ? {} : { accessToken: token }) }

  const { sha: commit } = await modelInfo({ ...hub, name: repository, revision, additionalFields: ['sha'] })
  if (!isCommit(commit)) throw new CheckpointError(`${where}: ${endpoint} gave no commit; is it a hub?`)
  const listed: HubFile[] = []
  for await (const { type, path, size, oid, lfs } of listFiles({ ...hub, repo: repository, revision: commit }))
    if (type === 'file') listed.push({ path, size: lfs?.size ?? size, oid: lfs?.oid ?? oid ?? '' })
  const files = wanted.files(listed, where)

  const totalBytes = sum(files)
  const absent = await filterAsync(files, async (file) => !(await hasBlob(folder, file)))
  await mkdir(join(folder, 'blobs'), { recursive: true })
  const lacking = await Promise.all(files.map((file) => lackingBytes(folder, file)))
  await checkSpace(
    where,
    folder,
    lacking.reduce((total, bytes) => total + bytes, 0),
  )
  let doneBytes = totalBytes - sum(absent)
  for (const file of files) {
    if (absent.includes(file)) {
      const report = (bytes: number) =>
        options.onProgress?.({ file: file.path, loadedBytes: doneBytes + bytes, totalBytes })
      await fetchFile(file, `${endpoint}/${repository}/resolve/${commit}/${file.path}`, blobPath(folder, file), {
        fetch,
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        signal: options.signal,
        retries: options.retries ?? 4,
        onBytes: report,
      })
      doneBytes += file.size
    }
    await linkIntoSnapshot(folder, commit, file)
  }
  const snapshot = snapshotPath(folder, commit)
  const missing = await wanted.missing(snapshot)
  if (missing.length > 0) throw new CheckpointError(`${where}: the repository has no ${missing.join(', ')}`)
  await rememberCommit(folder, revision, commit)
  return snapshot
}

/** fetch that can be aborted and whose refusals are explained. Failures of the network pass as they are. */
function hubFetch(where: string, { fetch = globalThis.fetch, signal }: DownloadOptions): typeof globalThis.fetch {
  return async (input, init) => {
    const response = await fetch(input, { ...init, signal: signal ?? null })
    if (response.ok) return response
    await response.body?.cancel()
    throw refusal(where, response.url || String(input), response.status, response.headers.get('x-error-code'))
  }
}

interface CachedSnapshot {
  readonly path: string
  readonly complete: boolean
  /** What is missing, in words. */
  readonly lacks: string
}

async function cachedSnapshot(folder: string, revision: string, { missing }: Wanted): Promise<CachedSnapshot> {
  const commit = await cachedCommit(folder, revision)
  if (commit === undefined) return { path: folder, complete: false, lacks: 'all of it' }
  const path = snapshotPath(folder, commit)
  const lacks = await missing(path)
  return { path, complete: lacks.length === 0, lacks: lacks.join(', ') }
}

function endpointOf({ endpoint }: DownloadOptions): string {
  return (endpoint ?? process.env.HF_ENDPOINT ?? HUB_URL).replace(/\/+$/, '')
}

/** The token as Python's huggingface_hub finds it. */
async function tokenOf({ token }: DownloadOptions): Promise<string | undefined> {
  const home = process.env.HF_HOME ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'huggingface')
  const stored = () => readFile(process.env.HF_TOKEN_PATH ?? join(home, 'token'), 'utf8').catch(() => '')
  const found = (token ?? process.env.HF_TOKEN ?? (await stored())).trim()
  if (found !== '' && !found.startsWith('hf_'))
    throw new CheckpointError(
      'HF_TOKEN: expected a token of the hub, which begins with hf_; copy it from your account settings',
    )
  return found === '' ? undefined : found
}

async function checkSpace(where: string, folder: string, bytes: number): Promise<void> {
  const free = await freeBytes(folder)
  if (free !== undefined && bytes > free)
    throw new CheckpointError(
      `${where}: ${formatBytes(bytes)} are to be downloaded, ${formatBytes(free)} are free in ${folder}; ` +
        'free some space, or set HF_HOME to a folder on another disk',
    )
}

function networkError(where: string, endpoint: string, error: TypeError): CheckpointError {
  const causes: string[] = []
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) causes.push(cause.message)
  const advice =
    'check the connection, set HF_ENDPOINT to a mirror, or give a local folder; a download goes on where it stopped'
  return new CheckpointError(`${where}: cannot reach ${endpoint}: ${causes.join(': ')}; ${advice}`, { cause: error })
}

/** Answers that are not the hub's (JSON that is none, a page of a hotel's network) and failures of the disk. */
function explained(error: unknown, where: string, endpoint: string): CheckpointError {
  if (errorCode(error) !== undefined || error instanceof CheckpointError) return fileError(error, where)
  const reason = error instanceof Error ? error.message : String(error)
  return new CheckpointError(`${where}: ${endpoint} does not answer like a hub (${reason}); check HF_ENDPOINT`, {
    cause: error,
  })
}

function sum(files: readonly HubFile[]): number {
  return files.reduce((bytes, { size }) => bytes + size, 0)
}

async function filterAsync<T>(items: readonly T[], keep: (item: T) => Promise<boolean>): Promise<T[]> {
  const kept = await Promise.all(items.map(keep))
  return items.filter((_, i) => kept[i])
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
