/**
 * Checkpoints in several files: `model.safetensors.index.json` (or `pytorch_model.bin.index.json`) says which file has which tensor.
 *
 *     {"metadata": {"total_size": 7489803136}, "weight_map": {"query_tokens": "model-00001-of-00002.safetensors", …}}
 *
 * Source: transformers 4.27, modeling_utils.py, `shard_checkpoint`. `total_size` is informative only: published files have wrong ones.
 */
import { CheckpointError } from '../errors.ts'
import { type JsonCursor, readEnd, readObject, readString, shown, skipValue } from './json.ts'
import type { Header, StoredTensor } from './safetensors.ts'

/** Tensor name → file name, relative to the folder of the index. */
export type WeightMap = ReadonlyMap<string, string>

/** Reads an index. `where` begins every error. */
export function parseIndex(text: string, where: string): WeightMap {
  const cursor: JsonCursor = { text, where, at: 0 }
  const weightMap = new Map<string, string>()
  let found = false
  readObject(cursor, (key) => {
    if (key !== 'weight_map') return skipValue(cursor)
    found = true
    readObject(cursor, (name) => {
      const file = readString(cursor)
      checkShardName(file, `${where}: weight_map: ${shown(name)}`)
      weightMap.set(name, file)
    })
  })
  readEnd(cursor)
  if (!found) throw new CheckpointError(`${where}: weight_map is missing; is this the index of a checkpoint?`)
  if (weightMap.size === 0) throw new CheckpointError(`${where}: weight_map is empty`)
  return weightMap
}

/**
 * A shard lies in the folder of the index or below it. Judged by the name alone: in the cache of huggingface_hub a shard is a symbolic
 * link to `../../blobs/…`, which is fine, because whoever wrote the index did not choose it.
 */
function checkShardName(file: string, where: string): void {
  const leaves = /^[/\\]|^[A-Za-z]:|\0/.test(file) || file.split(/[/\\]/).includes('..')
  if (leaves) throw new CheckpointError(`${where}: ${shown(file)} leaves the folder of the index`)
  if (!/\.(safetensors|bin)$/.test(file))
    throw new CheckpointError(`${where}: expected the name of a .safetensors or .bin file, found ${shown(file)}`)
}

/** Joins the headers of all shards (file name → header), which must hold the tensors of the index, no more, no fewer, none twice. */
export function joinShards(
  weightMap: WeightMap,
  shards: ReadonlyMap<string, Header>,
  where: string,
): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>()
  const shardOf = new Map<string, string>()
  for (const [file, { tensors: found }] of shards) {
    for (const tensor of found) {
      const { name } = tensor
      const other = shardOf.get(name)
      if (other !== undefined)
        throw new CheckpointError(`${where}: ${shown(name)} is in two shards, ${other} and ${file}`)
      const listed = weightMap.get(name)
      if (listed === undefined) throw new CheckpointError(`${where}: ${shown(name)} is in ${file} and not in the index`)
      tensors.set(name, tensor)
      shardOf.set(name, file)
    }
  }
  for (const [name, file] of weightMap) {
    const holder = shardOf.get(name)
    if (holder === file) continue
    const found = holder === undefined ? 'no shard has it' : `it is in ${holder}`
    throw new CheckpointError(`${where}: ${shown(name)}: expected in ${file}, ${found}; are all files of one revision?`)
  }
  return tensors
}
