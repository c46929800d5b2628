import { SessionError } from '../errors.ts'
import { type AdamWOptions, type AdamWResult, adamw, type Trained } from '../optim/adamw.ts'
import { createVariable, type Part } from '../optim/variable.ts'
import type { Tensor, VariableSet } from './device.ts'

/** Variables where the sessions are. Their tensors are fed without a copy, and the first gradient is written in place. */
export class ResidentVariables {
  private readonly all: ReadonlyMap<string, Trained>
  /** Names of those that have a gradient. */
  private readonly withGradient = new Set<string>()
  step: number

  constructor(variables: VariableSet, step: number) {
    this.all = new Map(
      Object.entries(variables).map(([name, { shape, weightDecay = 0, rateFactor = 1 }]) => [
        name,
        { ...createVariable(shape), weightDecay, rateFactor },
      ]),
    )
    this.step = step
  }

  /** A view, no copy. */
  tensor(name: string, part: Part): Tensor {
    const variable = this.variable(name)
    return { dtype: 'float32', shape: variable.shape, data: variable[part] }
  }

  /** Where a run shall write the gradient; undefined when there is one already, to which the run's own is to be added. */
  gradientTarget(name: string): Tensor | undefined {
    return this.withGradient.has(name) ? undefined : this.tensor(name, 'gradient')
  }

  /**
   * Takes the gradients that a run has computed, and written into their `gradientTarget` where there was one. When one of them has
   * another shape than its variable, none is taken.
   */
  addGradients(gradients: Readonly<Record<string, Tensor>>): void {
    for (const [name, { shape }] of Object.entries(gradients)) {
      const expected = this.variable(name).shape
      if (shape.join() !== expected.join()) {
        throw new SessionError(`gradient.${name}: expected (${expected.join(', ')}), found (${shape.join(', ')})`)
      }
    }
    for (const [name, { data }] of Object.entries(gradients)) {
      if (this.withGradient.has(name)) addTo(this.variable(name).gradient, data as Float32Array)
      this.withGradient.add(name)
    }
  }

  read(name: string, part: Part): Float32Array<ArrayBuffer> {
    if (part === 'gradient' && !this.withGradient.has(name)) {
      throw new SessionError(`no run since the last update has given it a gradient`)
    }
    return this.variable(name)[part].slice()
  }

  write(name: string, data: Float32Array, part: Part): void {
    this.variable(name)[part].set(data)
    if (part === 'gradient') this.withGradient.add(name)
  }

  update(options: AdamWOptions): AdamWResult {
    const missing = [...this.all.keys()].find((name) => !this.withGradient.has(name))
    if (missing !== undefined) {
      throw new SessionError(
        `no run since the last update has given ${missing} a gradient; run a graph with an output gradient.${missing}`,
      )
    }
    const result = adamw(this.all, this.step + 1, options)
    if (result.nonFinite === undefined) {
      this.step++
      this.withGradient.clear()
    }
    return result
  }

  private variable(name: string): Trained {
    return this.all.get(name) as Trained
  }
}

function addTo(sum: Float32Array, data: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (data[i] as number)
}
