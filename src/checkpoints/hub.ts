/** What of a repository on the Hugging Face hub is needed to run a model, and what its refusals mean. No network here. */
import { CheckpointError } from '../errors.ts'

/** One file of a repository at one commit. */
export interface HubFile {
  /** Name inside the repository. */
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** Names the content: sha256 of a large (LFS) file, git's sha1 of a small one, in hexadecimal. */
  readonly oid: string
}

/** Read by the model, the tokenizer and the image processor. */
const smallFiles =
  /^(config|preprocessor_config|processor_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens)\.json$/

/** The parts of a model in several files, and their index. */
const shardFiles = /^model(-\d+-of-\d+\.safetensors|\.safetensors\.index\.json)$/

/** `org/name`, as on the hub. */
export function isRepositoryName(name: string): boolean {
  return /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(name) && !name.includes('..') && !name.includes('--')
}

/** A full commit hash: content that never changes. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision)
}

/**
 * The files to download, the small ones first: whoever has the last of the weights has everything. One model.safetensors is taken
 * before shards, and PyTorch pickles never. Throws if the repository has no safetensors weights.
 */
export function neededFiles(files: readonly HubFile[], where: string): HubFile[] {
  const small = files.filter(({ path }) => smallFiles.test(path))
  const single = files.filter(({ path }) => path === 'model.safetensors')
  const weights = single.length > 0 ? single : files.filter(({ path }) => shardFiles.test(path))
  for (const { path, size, oid } of [...small, ...weights])
    if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(oid) || !Number.isSafeInteger(size) || size < 0)
      throw new CheckpointError(
        `${where}: ${path}: the hub gave size ${size} and content hash "${oid}"; is the endpoint a hub?`,
      )
  if (weights.length === 0) {
    const pickled = files.some(({ path }) => path.endsWith('.bin'))
    const advice = pickled
      ? 'it has PyTorch .bin files only: choose a revision with safetensors, or convert with save_pretrained(safe_serialization=True)'
      : 'is this the repository of a model?'
    throw new CheckpointError(`${where}: no model.safetensors and no model.safetensors.index.json; ${advice}`)
  }
  return [...small, ...weights].sort((a, b) => Number(isWeights(a.path)) - Number(isWeights(b.path)))
}

function isWeights(path: string): boolean {
  return path.endsWith('.safetensors')
}

/** What the hub's answer means and what to try. `code` is its X-Error-Code header. */
export function refusal(where: string, url: string, status: number, code: string | null): CheckpointError {
  return new CheckpointError(`${where}: ${explanation(new URL(url), status, code)} (HTTP ${status})`)
}

function explanation(url: URL, status: number, code: string | null): string {
  if (code === 'GatedRepo' || (status === 403 && code === null))
    return `access is gated; accept the terms on the page of the model at ${url.origin}, and set HF_TOKEN to a token of that account`
  if (code === 'RevisionNotFound') return 'there is no such revision; check the branch, tag or commit'
  if (code === 'EntryNotFound') return `${url.pathname} is not in the repository`
  // Without a valid token the hub answers 401 for a wrong name too, so as not to tell what is private.
  if (code === 'RepoNotFound' || status === 404 || status === 401)
    return `there is no model of this name at ${url.origin}, or it is private; check the name, or set HF_TOKEN to a valid token`
  if (status === 429) return `${url.origin} asks to slow down; try again in some minutes`
  return `${url.origin} does not work at present; try again later, or set HF_ENDPOINT to a mirror`
}
