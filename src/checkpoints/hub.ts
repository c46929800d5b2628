/** What of a repository on the Hugging Face hub is needed for a model or a tokenizer, and what its refusals mean. No network here. */
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

const modelSettings = /^(config|preprocessor_config|processor_config)\.json$/
const tokenizerSettings = /^(tokenizer_config|special_tokens_map|added_tokens)\.json$/

/** The forms of a vocabulary that can be read. The first one that a repository or a folder has is used. */
export const vocabularyForms = [['tokenizer.json'], ['vocab.txt'], ['vocab.json', 'merges.txt']] as const

/** The forms of weights, by the file that tells of them; an index comes with its shards. The first one that is there is used. */
export const weightForms = [
  { head: 'model.safetensors', files: /^model\.safetensors$/ },
  { head: 'model.safetensors.index.json', files: /^model(-\d+-of-\d+\.safetensors|\.safetensors\.index\.json)$/ },
  { head: 'pytorch_model.bin', files: /^pytorch_model\.bin$/ },
  { head: 'pytorch_model.bin.index.json', files: /^pytorch_model(-\d+-of-\d+\.bin|\.bin\.index\.json)$/ },
] as const

/** `org/name`, as on the hub. */
export function isRepositoryName(name: string): boolean {
  const parts = name.split('/')
  return parts.length === 2 && parts.every(isBareName)
}

/** A name without an organisation, as old repositories have: the hub redirects `bert-base-uncased` to `google-bert/bert-base-uncased`. */
export function isBareName(name: string): boolean {
  return /^[\w-][\w.-]*$/.test(name) && !name.includes('..') && !name.includes('--')
}

/** A full commit hash: content that never changes. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision)
}

/**
 * The files of a model, the small ones first: whoever has the last of the weights has everything. Weights are of one form, safetensors
 * where there are any. Throws if the repository has no weights.
 */
export function modelFiles(files: readonly HubFile[], where: string): HubFile[] {
  const form = weightForms.find(({ head }) => files.some(({ path }) => path === head))
  if (form === undefined) {
    const heads = weightForms.map(({ head }) => head).join(', no ')
    throw new CheckpointError(`${where}: no ${heads}; is this the repository of a model?`)
  }
  const weights = files.filter(({ path }) => form.files.test(path))
  const settings = files.filter(({ path }) => modelSettings.test(path) || tokenizerSettings.test(path))
  return checked(
    [...settings, ...vocabulary(files), ...weights].sort((a, b) => Number(isLarge(a)) - Number(isLarge(b))),
    where,
  )
}

/** The files of a tokenizer, the vocabulary last. Throws if the repository has none that can be read. */
export function tokenizerFiles(files: readonly HubFile[], where: string): HubFile[] {
  const found = vocabulary(files)
  if (found.length === 0)
    throw new CheckpointError(
      `${where}: no tokenizer.json, no vocab.txt, no vocab.json with merges.txt; is this the repository of a tokenizer?`,
    )
  return checked([...files.filter(({ path }) => tokenizerSettings.test(path)), ...found], where)
}

function vocabulary(files: readonly HubFile[]): HubFile[] {
  const has = (name: string) => files.some(({ path }) => path === name)
  const form: readonly string[] = vocabularyForms.find((names) => names.every(has)) ?? []
  return files.filter(({ path }) => form.includes(path))
}

function isLarge({ path }: HubFile): boolean {
  return /\.(safetensors|bin)$/.test(path)
}

function checked(files: HubFile[], where: string): HubFile[] {
  for (const { path, size, oid } of files)
    if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(oid) || !Number.isSafeInteger(size) || size < 0)
      throw new CheckpointError(
        `${where}: ${path}: the hub gave size ${size} and content hash "${oid}"; is the endpoint a hub?`,
      )
  return files
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
