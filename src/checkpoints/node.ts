/** Checkpoints on disk. Opening reads headers only; the data stays where it is until a tensor is read, or for ever. */
import { open, readdir, readFile, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CheckpointError } from '../errors.ts'
import { fileError } from './node-errors.ts'
import { readFully } from './node-read.ts'
import { readTorch } from './node-torch.ts'
import {
  type Checkpoint,
  type Header,
  type HeaderPlace,
  headerLength,
  maxHeaderLength,
  parseHeader,
  prefixLength,
  type StoredTensor,
} from './safetensors.ts'
import { joinShards, parseIndex } from './shards.ts'
import { torchForm, torchPrefixLength } from './torch.ts'
import { widenBfloat16, widenFloat16 } from './widen.ts'

export { writeSafetensors } from './node-write.ts'

/** What a folder is searched for; the first that is there wins, as in transformers. */
const folderFiles = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
]

/**
 * Opens a .safetensors file, a file of `torch.save` (.pth, .bin; told by its content), an index of shards (.json), or a folder that has
 * one of `folderFiles`. Nothing in a file is executed. Throws CheckpointError for anything missing, damaged or hostile.
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  try {
    const found = (await stat(path)).isDirectory() ? await fileInFolder(path) : path
    return found.endsWith('.json') ? await openShards(found) : await openFile(found)
  } catch (error) {
    throw fileError(error, path)
  }
}

/** The values of a tensor by its dtype; the 16-bit floats are widened to float32, BOOL is one byte (0 or 1) per element. */
export type TensorData =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array

/** Reads one tensor into memory. Throws CheckpointError for the types that JavaScript has no array for (8-bit floats and below, complex). */
export async function readTensor(tensor: StoredTensor): Promise<TensorData> {
  const { dtype } = tensor
  switch (dtype) {
    case 'F32':
      return new Float32Array(await readBytes(tensor))
    case 'F16':
      return widenFloat16(new Uint16Array(await readBytes(tensor)))
    case 'BF16':
      return widenBfloat16(new Uint16Array(await readBytes(tensor)))
    case 'F64':
      return new Float64Array(await readBytes(tensor))
    case 'I64':
      return new BigInt64Array(await readBytes(tensor))
    case 'U64':
      return new BigUint64Array(await readBytes(tensor))
    case 'I32':
      return new Int32Array(await readBytes(tensor))
    case 'U32':
      return new Uint32Array(await readBytes(tensor))
    case 'I16':
      return new Int16Array(await readBytes(tensor))
    case 'U16':
      return new Uint16Array(await readBytes(tensor))
    case 'I8':
      return new Int8Array(await readBytes(tensor))
    case 'U8':
    case 'BOOL':
      return new Uint8Array(await readBytes(tensor))
    case 'C64':
    case 'F8_E4M3':
    case 'F8_E5M2':
    case 'F8_E8M0':
    case 'F6_E2M3':
    case 'F6_E3M2':
    case 'F4':
      throw new CheckpointError(
        `${tensor.file}: ${tensor.name}: values of type ${dtype} cannot be read; convert to F32, F16 or BF16`,
      )
    default:
      return dtype satisfies never
  }
}

/** The bytes of a tensor as they are in the file: little-endian, like every machine that ONNX Runtime has a package for. */
export async function readBytes({ file, name, offset, length }: StoredTensor): Promise<ArrayBuffer> {
  const handle = await open(file).catch((error) => {
    throw fileError(error, file)
  })
  try {
    const bytes = new Uint8Array(length)
    const read = await readFully(handle, bytes, offset)
    if (read < length)
      throw new CheckpointError(
        `${file}: ${name}: expected ${length} bytes at ${offset}, found ${read}; the file has changed`,
      )
    return bytes.buffer
  } finally {
    await handle.close()
  }
}

async function fileInFolder(folder: string): Promise<string> {
  const names = (await readdir(folder)).sort()
  for (const name of folderFiles) if (names.includes(name)) return join(folder, name)
  const others = names.filter((name) => /\.(safetensors|bin|pth?|gguf|onnx)$/.test(name)).slice(0, 5)
  const found = others.length === 0 ? 'no weights' : others.join(', ')
  const advice = others.some((name) => /\.(safetensors|bin|pth?)$/.test(name))
    ? 'name the file itself'
    : 'download the .safetensors files of the model'
  throw new CheckpointError(`${folder}: expected ${folderFiles.join(' or ')}, found ${found}; ${advice}`)
}

async function openFile(path: string): Promise<Checkpoint> {
  const { header, place } = await readHeader(path)
  return {
    tensors: new Map(header.tensors.map((tensor) => [tensor.name, tensor])),
    files: [{ path: place.file, size: place.size }],
    metadata: header.metadata,
  }
}

async function openShards(path: string): Promise<Checkpoint> {
  const size = await fileSize(path)
  if (size > maxHeaderLength)
    throw new CheckpointError(`${path}: index of ${size} bytes, at most ${maxHeaderLength} are allowed`)
  const weightMap = parseIndex(await readFile(path, 'utf8'), path)
  const headers = new Map<string, Header>()
  const files: { path: string; size: number }[] = []
  for (const file of new Set(weightMap.values())) {
    const { header, place } = await readHeader(join(dirname(path), file)).catch((error) => {
      throw new CheckpointError(`${path}: shard ${fileError(error, file).message}`, { cause: error })
    })
    headers.set(file, header)
    files.push({ path: place.file, size: place.size })
  }
  const tensors = joinShards(weightMap, headers, path)
  return { tensors, files, metadata: Object.assign({}, ...[...headers.values()].map((header) => header.metadata)) }
}

async function readHeader(path: string): Promise<{ header: Header; place: HeaderPlace }> {
  await fileSize(path)
  const handle = await open(path)
  try {
    const place = { where: path, file: await realpath(path), size: (await handle.stat()).size }
    const start = new Uint8Array(Math.min(torchPrefixLength, place.size))
    await readFully(handle, start, 0)
    const form = torchForm(start)
    if (form !== undefined) return { header: await readTorch(handle, place, form), place }
    const bytes = new Uint8Array(headerLength(start.subarray(0, prefixLength), place))
    await readFully(handle, bytes, prefixLength)
    return { header: parseHeader(bytes, place), place }
  } finally {
    await handle.close()
  }
}

/** Bytes of a file. Refuses pipes and devices, which would be opened or read for ever. */
async function fileSize(path: string): Promise<number> {
  const found = await stat(path)
  if (!found.isFile()) throw new CheckpointError(`${path}: expected a file`)
  return found.size
}
