/** The files that features are written into. Each is whole or not there. */
import { type TensorToWrite, writeAtomically, writeSafetensors } from '../../checkpoints/node-write.ts'
import { widenFloat16 } from '../../checkpoints/widen.ts'
import { type Collection, tensorsOf } from './collection.ts'
import { npyHeader } from './npy.ts'
import type { Spool } from './spool.ts'

const formats = { '.safetensors': writeTensors, '.npy': writeArrays, '.json': writeJson }

type Format = (out: string, collection: Collection, model: string) => Promise<void>

/** By the end of the name; undefined where it has another one. */
export function formatOf(out: string): Format | undefined {
  return Object.entries(formats).find(([ending]) => out.endsWith(ending))?.[1]
}

async function writeTensors(out: string, collection: Collection, model: string): Promise<void> {
  const { mode, ...lists } = about(collection)
  const texts = Object.entries(lists).map(([name, list]) => [name, JSON.stringify(list)])
  await writeSafetensors(out, tensorsOf(collection), { mode, model, ...Object.fromEntries(texts) })
}

/** The array of the name comes last: where it is, the others are. */
async function writeArrays(out: string, collection: Collection, model: string): Promise<void> {
  const base = out.slice(0, -'.npy'.length)
  const [embeds, ...others] = tensorsOf(collection) as [TensorToWrite, ...TensorToWrite[]]
  for (const tensor of others) {
    await writeArray(`${base}.${tensor.name === 'attention_mask' ? 'mask' : 'proj'}.npy`, tensor)
  }
  await writeAtomically(`${out}.json`, [`${JSON.stringify({ ...about(collection), model })}\n`])
  await writeArray(out, embeds)
}

async function writeArray(path: string, { dtype, shape, data }: TensorToWrite): Promise<void> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield npyHeader(dtype, shape)
    yield* data as AsyncIterable<Uint8Array>
  }
  await writeAtomically(path, pieces())
}

async function writeJson(out: string, collection: Collection, model: string): Promise<void> {
  async function* pieces(): AsyncGenerator<string> {
    yield `{"mode":${JSON.stringify(collection.mode)},"model":${JSON.stringify(model)},"items":[`
    const arrays = Array.from(collection.arrays(), ([name, spool]) => ({ name, spool, matrices: spool.matrices() }))
    for (const [i, item] of collection.items.entries()) {
      const entries = await Promise.all(
        arrays.map(async ({ name, spool, matrices }) => [
          name,
          rowsOf(spool, (await matrices.next()).value as Uint8Array),
        ]),
      )
      yield `${i === 0 ? '\n' : ',\n'}${JSON.stringify({ ...item, ...Object.fromEntries(entries) })}`
    }
    yield '\n]}\n'
  }
  await writeAtomically(out, pieces())
}

/** Mode and inputs, which every format says beside the numbers. */
function about({ mode, items }: Collection): { mode: string; images?: string[]; texts?: string[] } {
  const images = items.flatMap(({ image }) => image ?? [])
  const texts = items.flatMap(({ text }) => text ?? [])
  return { mode, ...(images.length > 0 && { images }), ...(texts.length > 0 && { texts }) }
}

/** With as many digits as it takes to read the same number again. */
function rowsOf({ width, dtype }: Spool, { buffer, byteOffset, byteLength }: Uint8Array): number[][] {
  const half = dtype === 'float16'
  const values = half
    ? widenFloat16(new Uint16Array(buffer, byteOffset, byteLength / 2))
    : new Float32Array(buffer, byteOffset, byteLength / 4)
  const numbers = Array.from(values, (value) => Number(value.toPrecision(half ? 5 : 9)))
  return Array.from({ length: values.length / width }, (_, row) => numbers.slice(row * width, (row + 1) * width))
}
