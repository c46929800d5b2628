/**
 * Our figures beside a peer's, interleaved so that both see the same machine: ours, peer, ours, peer, … The table has the best
 * of each and the ratio of the bests. The peer is any command that prints the same JSON objects.
 *
 *   node build/bench/compare.js FOLDER ROUNDS PEER COMMAND...
 *   node build/bench/compare.js .cache/bench-checkpoint 2 python3 torch_peers.py encode decode
 */
import { collect, type Figures, ours } from './beside.ts'

const [folder = '.cache/bench-checkpoint', rounds = '2', ...peer] = process.argv.slice(2)
if (peer.length === 0) throw new Error('usage: compare.js FOLDER ROUNDS PEER COMMAND...')

const blip2: Figures = new Map()
const theirs: Figures = new Map()
for (let round = 0; round < Number(rounds); round++) {
  for (const figure of ['encode', 'decode', 'caption']) collect(blip2, ours('model', folder, figure))
  collect(theirs, peer)
}

console.log('figure                                       batch   blip2 ms    peer ms   times as fast')
for (const [key, { ms }] of blip2) {
  const [figure, batch] = key.split('|') as [string, string]
  row(figure, batch, ms, theirs.get(key)?.ms)
}
// What a caption by the peer costs at least: image encoder, prefill of five beams, twelve more steps of five.
const parts = ['vit-g encode fp32|1', 'opt-2.7b prefill 36 tokens fp32|5', 'opt-2.7b decode one token fp32|5'].map(
  (key) => theirs.get(key)?.ms,
)
const caption = blip2.get('caption, beam 5, 13 new tokens, fp32|')
if (caption !== undefined && parts.every((part) => part !== undefined)) {
  const [encode, prefill, step] = parts as [number, number, number]
  row('caption against encode + prefill + 12 steps', '', caption.ms, encode + prefill + 12 * step)
}

function row(figure: string, batch: string, ms: number, peerMs: number | undefined): void {
  const ratio = peerMs === undefined ? '' : (peerMs / ms).toFixed(2)
  const cells = [
    figure.padEnd(44),
    batch.padStart(5),
    ms.toFixed(0).padStart(10),
    (peerMs?.toFixed(0) ?? '').padStart(10),
    ratio.padStart(10),
  ]
  console.log(cells.join(' '))
}
