/** A minimal reader for the small reference files of these tests: trusts the file, copies everything. */
import { readFileSync } from 'node:fs'

export interface Tensor {
  readonly shape: readonly number[]
  readonly values: Float32Array | BigInt64Array
}

export function readSafetensors(path: string): Record<string, Tensor> {
  const file = readFileSync(path)
  const headerSize = Number(file.readBigUInt64LE(0))
  const header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }> = JSON.parse(
    file.toString('utf8', 8, 8 + headerSize),
  )
  const tensors = Object.entries(header).filter(([name]) => name !== '__metadata__')
  return Object.fromEntries(
    tensors.map(([name, { dtype, shape, data_offsets }]) => {
      const bytes = new Uint8Array(file.subarray(...data_offsets.map((offset) => 8 + headerSize + offset))).buffer
      if (dtype === 'F32') return [name, { shape, values: new Float32Array(bytes) }]
      if (dtype === 'I64') return [name, { shape, values: new BigInt64Array(bytes) }]
      throw new Error(`${path}: ${name}: dtype ${dtype} is not read here`)
    }),
  )
}
