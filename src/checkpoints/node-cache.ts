/**
 * The cache on disk that Python's huggingface_hub shares:
 *
 *     models--org--name/refs/main                     a branch or tag → commit
 *     models--org--name/blobs/<oid>                   contents, each once; <oid>.incomplete while it arrives
 *     models--org--name/snapshots/<commit>/<file>     symbolic links to ../../blobs/<oid>
 *
 * Source: huggingface_hub, "Understand caching" and file_download.py.
 */
import { link, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { getRepoFolderName } from '@huggingface/hub'
import { CheckpointError } from '../errors.ts'
import { type HubFile, isCommit, vocabularyForms, weightForms } from './hub.ts'
import { parseIndex } from './shards.ts'

/** The folder of one repository in a cache. */
export function repositoryFolder(cacheDir: string, repository: string): string {
  return join(cacheDir, getRepoFolderName({ type: 'model', name: repository }))
}

export function blobPath(folder: string, { oid }: HubFile): string {
  return join(folder, 'blobs', oid)
}

export function snapshotPath(folder: string, commit: string): string {
  return join(folder, 'snapshots', commit)
}

/** The commit that a branch or tag pointed to when it was last asked for, or undefined. */
export async function cachedCommit(folder: string, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision
  const commit = await readFile(refPath(folder, revision), 'utf8').catch(() => '')
  return isCommit(commit.trim()) ? commit.trim() : undefined
}

export async function rememberCommit(folder: string, revision: string, commit: string): Promise<void> {
  if (isCommit(revision)) return
  const path = refPath(folder, revision)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, commit)
}

/** Whether the whole blob is there. One of another size is a leftover of something that broke. */
export async function hasBlob(folder: string, file: HubFile): Promise<boolean> {
  return (await sizeOf(blobPath(folder, file))) === file.size
}

/** Bytes that a blob still lacks, after what an interrupted download left. */
export async function lackingBytes(folder: string, file: HubFile): Promise<number> {
  if (await hasBlob(folder, file)) return 0
  const partial = (await sizeOf(`${blobPath(folder, file)}.incomplete`)) ?? 0
  return partial > file.size ? file.size : file.size - partial
}

/** Makes the file of the snapshot that leads to the blob. */
export async function linkIntoSnapshot(folder: string, commit: string, file: HubFile): Promise<void> {
  const target = blobPath(folder, file)
  const path = join(snapshotPath(folder, commit), file.path)
  if ((await sizeOf(path)) === file.size) return
  await mkdir(dirname(path), { recursive: true })
  await rm(path, { force: true })
  // Windows allows symbolic links to developers only; hard links it allows to everybody.
  await symlink(relative(dirname(path), target), path).catch(() => link(target, path))
}

/** What a snapshot lacks to be run: nothing, or the names of the files. The tokenizer comes before the weights, so it is not asked for. */
export async function missingModelFiles(snapshot: string): Promise<string[]> {
  const missing = (await isThere(snapshot, 'config.json')) ? [] : ['config.json']
  for (const { head } of weightForms) {
    if (!(await isThere(snapshot, head))) continue
    if (!head.endsWith('.json')) return missing
    const index = join(snapshot, head)
    for (const shard of new Set(parseIndex(await readFile(index, 'utf8'), index).values()))
      if (!(await isThere(snapshot, shard))) missing.push(shard)
    return missing
  }
  return [...missing, 'model.safetensors']
}

/** What a snapshot lacks to be a tokenizer: nothing, or in words what would do. */
export async function missingTokenizerFiles(snapshot: string): Promise<string[]> {
  for (const names of vocabularyForms) {
    const there = await Promise.all(names.map((name) => isThere(snapshot, name)))
    if (there.every(Boolean)) return []
  }
  return [vocabularyForms.map((names) => names.join(' with ')).join(' or ')]
}

async function isThere(snapshot: string, name: string): Promise<boolean> {
  return (await sizeOf(join(snapshot, name))) !== undefined
}

function refPath(folder: string, revision: string): string {
  if (/^[/\\]|^[A-Za-z]:|\0/.test(revision) || revision.split(/[/\\]/).includes('..') || revision === '')
    throw new CheckpointError(`"${revision}": expected a branch, a tag or a commit`)
  return join(folder, 'refs', revision)
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  )
}
