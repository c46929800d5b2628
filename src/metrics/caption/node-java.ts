/**
 * METEOR and SPICE, which are defined by their Java programs: a driver for jars that the user has. The protocols are those of
 * `pycocoevalcap/meteor/meteor.py` and `pycocoevalcap/spice/spice.py` (github.com/salaniz/pycocoevalcap, ad63453). METEOR 1.5 needs
 * its paraphrase table and SPICE 1.0 the CoreNLP models beside the jar, as the official downloads have them.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { DataError } from '../../errors.ts'
import type { TokenizedImages } from './corpus.ts'
import { meanScores, type Scores } from './scores.ts'

export interface JavaOptions {
  /** The program to start, `java` of the PATH unless told. */
  readonly java?: string
  /** Ends the program and rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** METEOR in [0, 1] by meteor-1.5.jar. The value of several images is that of their summed statistics, not the mean. */
export async function meteor(images: TokenizedImages, jar: string, options: JavaOptions = {}): Promise<Scores> {
  const program = start(options, '-Xmx2G', jar, ['-', '-', '-stdio', '-l', 'en', '-norm'])
  try {
    const asked = images.candidates.map((candidate, image) => {
      // Its field separator and double blanks must not come from a caption.
      const plain = candidate.replaceAll('|||', '').replaceAll('  ', ' ')
      return ['SCORE', ...images.references[image]!, plain].join(' ||| ')
    })
    program.write(asked)
    const statistics: string[] = []
    for (const _ of asked) statistics.push(await program.line())
    /** Of each image, then of all together. */
    const evaluate = async (some: readonly string[]) => {
      program.write([['EVAL', ...some].join(' ||| ')])
      const scores: number[] = []
      while (scores.length <= some.length) scores.push(number(await program.line(), jar))
      return scores
    }
    const perImage = await evaluate(statistics)
    const corpus = perImage.pop()!
    const parts: number[] = []
    for (const places of images.parts ?? [])
      parts.push((await evaluate(places.map((image) => statistics[image]!))).pop()!)
    await program.end()
    return { corpus, perImage, parts }
  } finally {
    program.stop()
  }
}

/** SPICE in [0, 1] by spice-1.0.jar: F-score over all tuples, the corpus value the mean. No score (null) counts as 0. */
export async function spice(images: TokenizedImages, jar: string, options: JavaOptions = {}): Promise<Scores> {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-spice-'))
  try {
    const [input, output] = [join(folder, 'in.json'), join(folder, 'out.json')]
    const asked = images.candidates.map((test, image_id) => ({ image_id, test, refs: images.references[image_id] }))
    await writeFile(input, JSON.stringify(asked))
    await start(options, '-Xmx8G', jar, [input, '-out', output, '-subset', '-silent']).end()
    const found: { image_id: number; scores: { All: { f: number | null } } }[] = JSON.parse(
      await readFile(output, 'utf8'),
    )
    const byImage = new Map(found.map(({ image_id, scores }) => [image_id, scores.All.f ?? 0]))
    return meanScores(
      images.candidates.map((_, image) => byImage.get(image) ?? 0),
      images.parts ?? [],
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Program {
  write(lines: readonly string[]): void
  /** The next line of its output. */
  line(): Promise<string>
  /** Closes its input and waits for it. */
  end(): Promise<void>
  /** Ends it if it still runs. */
  stop(): void
}

/** A jar in its own folder, where it looks for its data. Whatever goes wrong is a DataError with the last that it said. */
function start({ java = 'java', signal }: JavaOptions, memory: string, jar: string, args: readonly string[]): Program {
  const child = spawn(java, ['-jar', memory, resolve(jar), ...args], {
    cwd: dirname(resolve(jar)),
    ...(signal && { signal }),
  })
  let complaint = ''
  child.stderr.on('data', (chunk) => {
    complaint = `${complaint}${chunk}`.slice(-2000)
  })
  child.stdin.on('error', () => {}) // its end says why
  const ended = new Promise<void>((done, failed) => {
    child.on('error', (cause) => {
      failed(signal?.aborted ? signal.reason : new DataError(`${java}: cannot be started: ${cause.message}`, { cause }))
    })
    child.on('close', (code) => {
      if (code === 0) done()
      else
        failed(new DataError(`${jar}: the program ended with code ${code}: ${complaint.trim() || 'it said nothing'}`))
    })
  })
  ended.catch(() => {}) // line() and end() report it
  const output = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    write: (lines) => {
      for (const line of lines) child.stdin.write(`${line}\n`)
    },
    async line() {
      const { value, done } = await output.next()
      if (!done) return value
      await ended
      throw new DataError(`${jar}: expected one more line of output, found its end; is it the official program?`)
    },
    async end() {
      child.stdin.end()
      await ended
    },
    stop: () => {
      child.kill()
    },
  }
}

function number(line: string, jar: string): number {
  const value = Number(line)
  if (line.trim() === '' || !Number.isFinite(value)) throw new DataError(`${jar}: expected a score, found "${line}"`)
  return value
}
