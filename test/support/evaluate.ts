/** Runs graphs on ONNX Runtime directly, so that what is built can be tested without `src/runtime`. */
import ort from 'onnxruntime-node'
import { type Target, toOnnx, type Value } from '../../src/graph/index.ts'
import type { Tensor } from './tensors.ts'

export type Feeds = Readonly<Record<string, Tensor>>
export type Results = Record<string, Tensor>

/** A graph that is ready to run. */
export type Run = (feeds: Feeds) => Promise<Results>

/** The plain form of every operator, as it is differentiated. */
export const training: Target = { purpose: 'training' }

/** Loads the graph that computes `outputs` (name → value). `threads` is 1 unless a test is about threads. */
export async function prepare(
  outputs: Readonly<Record<string, Value>>,
  target: Target = training,
  threads = 1,
): Promise<Run> {
  const { bytes, weightsFolder } = toOnnx(outputs, target)
  const session = await ort.InferenceSession.create(bytes, {
    logSeverityLevel: 3,
    intraOpNumThreads: threads,
    extra: {
      session: {
        disable_prepacking: '1',
        ...(weightsFolder !== undefined && { model_external_initializers_file_folder_path: weightsFolder }),
      },
    },
  })
  return async (feeds) => {
    const results = await session.run(
      Object.fromEntries(session.inputNames.map((name) => [name, toOrt(name, feeds[name])])),
    )
    return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, fromOrt(tensor)]))
  }
}

/** Loads and runs once. Feeds that the graph has no input for are left out. */
export async function evaluate(
  outputs: Readonly<Record<string, Value>>,
  feeds: Feeds = {},
  target: Target = training,
): Promise<Results> {
  return (await prepare(outputs, target))(feeds)
}

/** The tensor behind one value. */
export async function compute(value: Value, feeds: Feeds = {}, target: Target = training): Promise<Tensor> {
  return (await evaluate({ value }, feeds, target)).value as Tensor
}

function toOrt(name: string, tensor: Tensor | undefined): ort.Tensor {
  if (!tensor) throw new Error(`evaluate: nothing is fed to ${name}`)
  return new ort.Tensor(tensor.dtype, tensor.data, tensor.shape)
}

function fromOrt(tensor: ort.Tensor): Tensor {
  return { dtype: tensor.type, shape: tensor.dims, data: tensor.data } as Tensor
}
