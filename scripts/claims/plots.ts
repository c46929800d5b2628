/** The plots of docs/claims, each a file that needs nothing else. */
import { chart, svgFile } from '../../src/training/chart.ts'
import { barChart } from './bars.ts'
import type { Figure5, Queries, Results, State, Table6 } from './results.ts'

const percent = (name: string) => ({ name: `${name}, percent`, range: [0, 100] as const })

/** File name → SVG, of what has been measured. */
export function plots({ figure5, table6, queries }: Results): Readonly<Record<string, string>> {
  const drawn = {
    ...(figure5 && { 'figure5-accuracy.svg': accuracyPlot(figure5), 'figure5-loss.svg': lossPlot(figure5) }),
    ...(table6 && { 'table6.svg': recallPlot(table6) }),
    ...(queries && { 'queries.svg': queriesPlot(queries) }),
  }
  return Object.fromEntries(Object.entries(drawn).map(([name, plot]) => [name, svgFile(plot)]))
}

const stepsOfStage2 = (steps: number) => ({ name: 'steps of stage 2', range: [0, steps] as const })

function accuracyPlot(figure5: Figure5): string {
  const { steps, blind } = figure5
  const unseen = { name: 'no picture', points: [0, steps].map((step) => [step, blind] as const), dashed: true }
  return chart([...bothCurves(figure5, 'accuracy'), unseen], { x: stepsOfStage2(steps), y: percent('VQA accuracy') })
}

function lossPlot(figure5: Figure5): string {
  return chart(bothCurves(figure5, 'loss'), { x: stepsOfStage2(figure5.steps), y: { name: 'validation loss' } })
}

function bothCurves({ with: withStage1, without }: Figure5, value: 'accuracy' | 'loss') {
  const points = (states: readonly State[]) => states.map((state) => [state.step, state[value]] as const)
  return [
    { name: 'with stage 1', points: points(withStage1) },
    { name: 'without stage 1', points: points(without) },
  ]
}

function recallPlot({ runs }: Table6): string {
  const scores = { 'TR@1': 'txt_r1', 'TR@5': 'txt_r5', 'IR@1': 'img_r1', 'IR@5': 'img_r5' } as const
  return barChart({
    series: runs.map(({ losses }) => lossNames(losses)),
    groups: Object.entries(scores).map(([name, score]) => ({ name, values: runs.map((run) => run[score]) })),
    y: percent('recall'),
  })
}

function queriesPlot({ runs }: Queries): string {
  return barChart({
    series: ['VQA accuracy', 'TR@1', 'IR@1'],
    groups: runs.map(({ queries, accuracy, txt_r1, img_r1 }) => ({
      name: String(queries),
      values: [accuracy, txt_r1, img_r1],
    })),
    x: 'queries',
    y: percent('score'),
  })
}

/** ITC + ITM + ITG */
export function lossNames(losses: readonly string[]): string {
  return losses.map((name) => name.toUpperCase()).join('+')
}
