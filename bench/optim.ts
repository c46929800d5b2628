/**
 * One step of AdamW over the parameters that stage 1 trains (Q-Former with its text half, 187 M), and the same loop in plain JavaScript
 * over Float32Arrays. Takes 3 GB of memory.
 *
 *   node build/bench/optim.js
 */
import { input } from '../src/graph/index.ts'
import { parseConfig, type RetrievalConfig } from '../src/models/config.ts'
import { stage1Graph } from '../src/models/stage1.ts'
import { recorderParams } from '../src/nn/index.ts'
import { adamw, type Trained } from '../src/optim/adamw.ts'
import { decays } from '../src/optim/groups.ts'
import { createVariable } from '../src/optim/variable.ts'
import { best, say } from './open.ts'

const published = { model_type: 'blip-2', qformer_config: { use_qformer_text_input: true } }
const config = parseConfig(published, 'bench') as RetrievalConfig
const { params, shapes, total } = recorderParams()
stage1Graph(params, config, input('image', 'float32', [257, 'batch', config.vision_config.hidden_size]), {
  decTokenId: 1,
})

const variables = new Map<string, Trained>()
for (const [name, shape] of shapes) {
  const variable = { ...createVariable(shape), weightDecay: decays(name, shape) ? 0.05 : 0, rateFactor: 1 }
  variable.value.fill(0.02)
  variable.gradient.fill(1e-3)
  variables.set(name, variable)
}

const options = { learningRate: 1e-4, betas: [0.9, 0.98], clipNorm: 1 } as const
report('adamw step', await best(5, async () => adamw(variables, 1, options)))
report('adamw step, JavaScript', await best(2, async () => plain(variables)))

function report(figure: string, ms: number): void {
  say(figure, { params: total(), ms, nsPerParameter: (ms * 1e6) / total() })
}

/** Without the norm, the bias correction and the groups. */
function plain(all: ReadonlyMap<string, Trained>): void {
  for (const { value, gradient, exp_avg, exp_avg_sq } of all.values()) {
    for (let i = 0; i < value.length; i++) {
      const g = gradient[i] as number
      const m = 0.9 * (exp_avg[i] as number) + 0.1 * g
      const v = 0.98 * (exp_avg_sq[i] as number) + 0.02 * g * g
      exp_avg[i] = m
      exp_avg_sq[i] = v
      value[i] = (value[i] as number) * (1 - 5e-6) - (1e-4 * m) / (Math.sqrt(v) + 1e-8)
    }
  }
}
