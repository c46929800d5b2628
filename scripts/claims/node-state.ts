import { cp, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openCheckpoint, readBytes, writeSafetensors } from '../../src/checkpoints/node.ts'
import { CheckpointError } from '../../src/errors.ts'
import { stepName } from '../../src/training/node-checkpoints.ts'

/** Writes `folder`: the model that the run in `run` has made, with the trained weights that it had at `step`. */
export async function writeStateModel(run: string, step: number, folder: string): Promise<void> {
  const finished = await openCheckpoint(join(run, 'model'))
  const state = await openCheckpoint(join(run, 'checkpoints', stepName(step), 'weights.safetensors'))
  const unknown = [...state.tensors.keys()].find((name) => !finished.tensors.has(name))
  if (unknown !== undefined)
    throw new CheckpointError(`${run}: ${unknown}: in the state of step ${step}, not in the model`)
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  await cp(join(run, 'model'), folder, { recursive: true, filter: (path) => !path.endsWith('model.safetensors') })
  const tensors = Array.from(finished.tensors.values(), (tensor) => state.tensors.get(tensor.name) ?? tensor)
  await writeSafetensors(
    join(folder, 'model.safetensors'),
    await Promise.all(
      tensors.map(async (tensor) => {
        const { name, dtype, shape } = tensor
        return { name, dtype, shape, data: new Uint8Array(await readBytes(tensor)) }
      }),
    ),
    finished.metadata,
  )
}
