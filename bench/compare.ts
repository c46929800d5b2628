/**
 * Our figures beside a peer's, interleaved so that both see the same machine: ours, peer, ours, peer, … The table has the best
 * of each and the ratio of the bests. The peer is any command that prints the same JSON objects.
 *
 *   node build/bench/compare.js FOLDER ROUNDS PEER COMMAND...
 *   node build/bench/compare.js .cache/bench-checkpoint 2 python3 torch_peers.py encode decode
 */
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Figure {
  readonly figure: string
  readonly batch?: number
  readonly ms: number
}

const [folder = '.cache/bench-checkpoint', rounds = '2', ...peer] = process.argv.slice(2)
if (peer.length === 0) throw new Error('usage: compare.js FOLDER ROUNDS PEER COMMAND...')

const ours = new Map<string, number>()
const theirs = new Map<string, number>()
for (let round = 0; round < Number(rounds); round++) {
  for (const figure of ['encode', 'decode', 'caption']) {
    collect(ours, [process.execPath, join(dirname(fileURLToPath(import.meta.url)), 'model.js'), folder, figure])
  }
  collect(theirs, peer)
}

console.log('figure                                       batch   blip2 ms    peer ms   times as fast')
for (const [key, ms] of ours) {
  const [figure, batch] = key.split('|') as [string, string]
  row(figure, batch, ms, theirs.get(key))
}
// What a caption by the peer costs at least: image encoder, prefill of five beams, twelve more steps of five.
const parts = ['vit-g encode fp32|1', 'opt-2.7b prefill 36 tokens fp32|5', 'opt-2.7b decode one token fp32|5'].map(
  (key) => theirs.get(key),
)
const caption = ours.get('caption, beam 5, 13 new tokens, fp32|')
if (caption !== undefined && parts.every((part) => part !== undefined)) {
  const [encode, prefill, step] = parts as [number, number, number]
  row('caption against encode + prefill + 12 steps', '', caption, encode + prefill + 12 * step)
}

function collect(into: Map<string, number>, [command, ...args]: readonly string[]): void {
  const run = spawnSync(command as string, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 26,
  })
  if (run.status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${run.status ?? run.signal}`)
  process.stderr.write(run.stdout)
  for (const line of run.stdout.split('\n').filter((text) => text.startsWith('{'))) {
    const { figure, batch, ms } = JSON.parse(line) as Figure
    if (ms === undefined) continue
    const key = `${figure}|${batch ?? ''}`
    into.set(key, Math.min(ms, into.get(key) ?? Number.POSITIVE_INFINITY))
  }
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
