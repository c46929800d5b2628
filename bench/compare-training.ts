/**
 * A training step of ours beside a peer's, interleaved: ours, peer, ours, peer, … The peer is any command that reads the weights and the batch
 * of STAGE.safetensors in FOLDER, which ours writes first, and prints the same JSON objects; it is started with the arguments of
 * `training-step.js` behind its own.
 *
 *   node build/bench/compare-training.js STAGE ROUNDS FOLDER CHECKPOINT PEER COMMAND...
 *   node build/bench/compare-training.js stage1 3 .cache/bench-training .cache/bench-checkpoint python3 torch_training_step.py
 */
import { collect, type Figures, ours } from './beside.ts'

const [stage = 'stage1', rounds = '3', folder, checkpoint, ...peer] = process.argv.slice(2)
if (folder === undefined || checkpoint === undefined || peer.length === 0)
  throw new Error('usage: compare-training.js STAGE ROUNDS FOLDER CHECKPOINT PEER COMMAND...')

const blip2: Figures = new Map()
const theirs: Figures = new Map()
for (let round = 0; round < Number(rounds); round++) {
  collect(blip2, ours('training-step', stage, folder, checkpoint))
  collect(theirs, [...peer, stage, folder, checkpoint])
}

for (const [key, mine] of blip2) {
  const other = theirs.get(key)
  if (!other) throw new Error(`the peer has no figure ${key}`)
  console.log(`${key.replace('|', ', batch ')}         blip2       peer   times as fast / of its memory`)
  row('milliseconds', mine.ms, other.ms, other.ms / mine.ms)
  row('of processor time', mine.cpu_ms, other.cpu_ms, (other.cpu_ms ?? 0) / (mine.cpu_ms ?? 0))
  row('peak MB', mine.peak_mb, other.peak_mb, (mine.peak_mb ?? 0) / (other.peak_mb ?? 0))
}

function row(what: string, mine: number | undefined, other: number | undefined, ratio: number): void {
  const cells = [mine?.toFixed(0) ?? '', other?.toFixed(0) ?? '', ratio.toFixed(2)]
  console.log(`  ${what.padEnd(22)}${cells.map((cell) => cell.padStart(11)).join('')}`)
}
