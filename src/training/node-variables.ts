/** The trained weights of a run: how they begin, how they are saved. */
import { readTensor } from '../checkpoints/node.ts'
import type { TensorToWrite } from '../checkpoints/node-write.ts'
import { decays, layerRateFactor } from '../optim/groups.ts'
import type { Device, Variables } from '../runtime/device.ts'
import type { SavedRun } from './node-checkpoints.ts'
import type { Graphs } from './node-graphs.ts'
import type { Setup } from './node-setup.ts'
import { beginning } from './node-starting-weights.ts'
import type { Recipe } from './recipe.ts'

const moments = ['exp_avg', 'exp_avg_sq'] as const

/** Variables with the values and moments of a saved state, or with those that training begins with. */
export async function beginVariables(
  device: Device,
  recipe: Recipe,
  { config, weights }: Setup,
  { shapes }: Graphs,
  saved: SavedRun | undefined,
): Promise<Variables> {
  const layers = config.vision_config.num_hidden_layers
  const settings = Array.from(shapes, ([name, shape]) => {
    const weightDecay = decays(name, shape) ? recipe.optimiser.weight_decay : 0
    return [
      name,
      { shape, weightDecay, rateFactor: layerRateFactor(name, { decay: recipe.model.layer_decay, layers }) },
    ]
  })
  const variables = await device.createVariables(Object.fromEntries(settings), saved?.step ?? 0)
  const initialiser = { seed: recipe.seed, deviation: recipe.model.initial_deviation }
  for (const [name, shape] of shapes) {
    if (saved) {
      await variables.write(name, await savedValues(saved.weights, name))
      for (const part of moments) await variables.write(name, await savedValues(saved.moments, `${part}.${name}`), part)
      continue
    }
    const { values } = await beginning(name, shape, weights, initialiser)
    await variables.write(name, values)
  }
  return variables
}

async function savedValues({ tensors }: SavedRun['weights'], name: string): Promise<Float32Array> {
  const tensor = tensors.get(name)
  if (!tensor) throw new Error(`${name}: not in the saved state`)
  return (await readTensor(tensor)) as Float32Array
}

/** The weights, each read when it is due. */
export function weightTensors(variables: Variables): TensorToWrite[] {
  return Object.entries(variables.shapes).map(([name, shape]) => tensor(name, shape, () => variables.read(name)))
}

export function momentTensors(variables: Variables): TensorToWrite[] {
  return moments.flatMap((part) =>
    Object.entries(variables.shapes).map(([name, shape]) =>
      tensor(`${part}.${name}`, shape, () => variables.read(name, part)),
    ),
  )
}

function tensor(name: string, shape: readonly number[], read: () => Promise<Float32Array>): TensorToWrite {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array((await read()).buffer)
  }
  return { name, dtype: 'F32', shape, data: bytes() }
}
