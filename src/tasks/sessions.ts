/** The graphs of one model as sessions on one device, each made when it is first needed. */
import { toOnnx } from '../graph/index.ts'
import { type Graph, imageGraph, promptGraph, questionGraph, stepGraph, tiedNames } from '../models/blip2.ts'
import type { Blip2Config } from '../models/config.ts'
import { isBuffer } from '../models/names/names.ts'
import { FEW_ROWS, type StoredTensor, storedParams } from '../nn/index.ts'
import type { CacheShapes, Device, Session } from '../runtime/device.ts'

export interface Sessions {
  readonly device: Device
  readonly config: Blip2Config
  /** What the language model keeps of each token, for a batch of so many items. */
  cacheShapes(items: number): CacheShapes
  image(): Promise<Session>
  /** For so many questions about one image. Undefined where the Q-Former reads none. */
  readonly question: ((questions: number) => Promise<Session>) | undefined
  /** For a prompt of about so many rows (tokens times items, queries included). */
  prompt(rows: number): Promise<Session>
  /** For a step of about so many rows (branches times items). */
  step(rows: number): Promise<Session>
}

/**
 * Builds the graphs and checks every tensor of the checkpoint against them; reads no weights. `replaced` are weights that take the
 * place of stored ones.
 * @throws CheckpointError for missing, unused and misshapen tensors.
 */
export function createSessions(
  device: Device,
  config: Blip2Config,
  tensors: ReadonlyMap<string, StoredTensor>,
  replaced: ReadonlyMap<string, Float32Array> = new Map(),
): Sessions {
  const { params, check } = storedParams(tensors, { aliases: tiedNames, replaced, unused: isBuffer })
  const graphs = {
    image: imageGraph(params, config),
    prompt: promptGraph(params, config),
    step: stepGraph(params, config),
  }
  const question = config.qformer_reads_question ? questionGraph(params, config) : undefined
  check()

  const session = lazySessions(device)
  return {
    device,
    config,
    cacheShapes: (items) => cacheShapes([graphs.prompt, graphs.step], items),
    image: () => session('image', graphs.image, { batch: 1 }),
    // The queries of two questions are many rows already.
    question:
      question &&
      ((questions) =>
        questions === 1
          ? session('one question', question, { batch: 1, question: 16 })
          : session('questions', question, { batch: FEW_ROWS, question: 16 })),
    prompt: (rows) => {
      const { name, size } = rowClass(rows)
      return session(`prompt, ${name}`, graphs.prompt, { batch: 1, tokens: size - config.num_query_tokens })
    },
    step: (rows) => {
      const { name, size } = rowClass(rows)
      return session(`step, ${name}`, graphs.step, { batch: 1, tokens: size, read: size })
    },
  }
}

/** Makes sessions when they are first asked for by name, for the expected `sizes` of named dimensions, and keeps them. */
export function lazySessions(
  device: Device,
): (name: string, graph: Graph, sizes: Readonly<Record<string, number>>) => Promise<Session> {
  const sessions = new Map<string, Promise<Session>>()
  return (name, graph, sizes) => {
    const known = sessions.get(name)
    if (known) return known
    const { bytes, weightsFolder } = toOnnx(graph, { purpose: 'inference', sizes })
    const made = device.createSession(bytes, { name, ...(weightsFolder !== undefined && { weightsFolder }) })
    sessions.set(name, made)
    made.catch(() => sessions.delete(name))
    return made
  }
}

/** The shape of one row of everything that the graphs put into a cache. */
export function cacheShapes(graphs: readonly Graph[], items: number): CacheShapes {
  const shapes: Record<string, number[]> = {}
  for (const [name, value] of graphs.flatMap((graph) => Object.entries(graph))) {
    if (!name.startsWith('present.')) continue
    shapes[name.slice('present.'.length)] = value.shape.slice(1).map((dim) => (typeof dim === 'number' ? dim : items))
  }
  return shapes
}

/** The sizes between which another form of a linear layer is faster (`affine`): a graph is written for each class that occurs. */
export function rowClass(rows: number): { name: string; size: number } {
  if (rows <= 1) return { name: 'one row', size: 1 }
  return rows <= FEW_ROWS ? { name: 'few rows', size: FEW_ROWS } : { name: 'many rows', size: FEW_ROWS + 1 }
}
