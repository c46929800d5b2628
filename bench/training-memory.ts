/**
 * Peak memory of training beside what the plan of `blip2 train` counts: 20 bytes for each parameter and a multiple of the intermediate values
 * that wait for the gradient; and its processor time. With layers kept, or computed again.
 * `node build/bench/training-memory.js [stage1|stage2|language-model] [batch] [keep|recompute]`, each in a process of its own (Linux).
 */
import { parseConfig } from '../src/models/config.ts'
import { openDevice } from '../src/runtime/node.ts'
import { fullSizes } from '../src/training/activations.ts'
import { buildGraphs } from '../src/training/node-graphs.ts'
import { objectiveOf } from '../src/training/objective.ts'
import { memoryNeeded } from '../src/training/plan.ts'
import { parseRecipe } from '../src/training/recipe.ts'
import { floats, freshValues, memoryMb, textFeeds, tokens } from './training.ts'

const [objective = 'stage1', size = '8', mode = 'keep'] = process.argv.slice(2)
const batch = Number(size)

const vision_config = { hidden_size: 256, intermediate_size: 512, num_hidden_layers: 1, num_attention_heads: 4 }
const qformer = { hidden_size: 256, intermediate_size: 1024, num_hidden_layers: 8, num_attention_heads: 8 }
const config = parseConfig(
  {
    model_type: 'blip-2',
    vision_config,
    ...(objective === 'stage1'
      ? { qformer_config: { ...qformer, vocab_size: 8000, max_position_embeddings: 64, use_qformer_text_input: true } }
      : {
          qformer_config: qformer,
          text_config: {
            model_type: 'opt',
            vocab_size: 8000,
            hidden_size: 512,
            num_hidden_layers: 8,
            ffn_dim: 2048,
            num_attention_heads: 8,
            max_position_embeddings: 128,
          },
        }),
  },
  'bench',
)
const recipe = parseRecipe(
  {
    objective,
    output: 'none',
    model: { train_image_encoder: objective !== 'language-model' },
    data: {
      train: [objective === 'language-model' ? { kind: 'text', file: 'none' } : { kind: 'folder', images: 'none' }],
    },
    batch,
    recompute: mode === 'recompute',
    steps: 1,
    schedule: { peak: 1e-4 },
  },
  'bench',
)

const feeds = {
  ...textFeeds(objective, batch),
  ...(objective !== 'language-model' && { pixel_values: floats([batch, 3, 224, 224]) }),
}

const device = await openDevice()
// All of it trains, the language model too, so that no checkpoint is needed.
const all = { ...objectiveOf(recipe, config, 7999), trains: () => true }
const weights = { tensors: new Map(), replaced: new Map() }
const graphs = buildGraphs(device, config, all, weights, { recompute: recipe.recompute })
const settings = Object.fromEntries(Array.from(graphs.shapes, ([name, shape]) => [name, { shape }]))
const variables = await device.createVariables(settings)
let parameters = 0
for (const [name, shape] of graphs.shapes) {
  const values = freshValues(name, shape)
  await variables.write(name, values)
  parameters += values.length / 1e6
}
// The values are there; gradients and moments come with the first step.
const before = memoryMb('VmRSS') - 4 * parameters
const times = []
for (let step = 0; step < 3; step++) {
  const began = process.cpuUsage().user
  await graphs.train(feeds, variables)
  await variables.update({ learningRate: 1e-4, betas: [0.9, 0.98] })
  times.push((process.cpuUsage().user - began) / 1e6)
}
const used = memoryMb('VmHWM') - before
const kept = graphs.keptBytes(fullSizes(batch, tokens, config.num_query_tokens)) / 1e6
const planned = memoryNeeded(parameters, kept, recipe.recompute)
console.log(
  JSON.stringify({
    objective,
    batch,
    mode,
    processor_seconds: Number(Math.min(...times).toFixed(2)), // the first step also makes the session
    parameters_million: Number(parameters.toFixed(1)),
    used_mb: Math.round(used),
    kept_mb: Math.round(kept),
    beyond_20_bytes_by_kept: Number(((used - 20 * parameters) / kept).toFixed(2)),
    planned_mb: Math.round(planned.parameters + planned.values),
  }),
)
await device.dispose()
