/** Bytes that a task needs. */
export interface MemoryNeed {
  /** Weights used where they lie in their file. The system reads them in, and drops them again when it needs the room. */
  readonly mappedBytes: number
  /** Weights held in memory of our own (half precision widened to float32). */
  readonly copiedBytes: number
  /** Intermediate values of the largest batch, with keys and values. */
  readonly activationBytes: number
}

/** Bytes of a machine or container, as `machineMemory` reads them. */
export interface MachineMemory {
  readonly totalBytes: number
  /** What can be had without pushing anything to disk; file cache counts as available. */
  readonly availableBytes: number
}

export interface MemoryPlan {
  /** False: do not start, it would swap or be killed. */
  readonly fits: boolean
  /** It runs, but the weights do not all stay in memory and are read from disk again and again. */
  readonly slow: boolean
  /** One line for a person: the numbers and, where it matters, the way out. */
  readonly text: string
}

export const memoryAdvice =
  'use a smaller model, a float32 file (read in place) instead of a half precision one (widened in memory), a smaller batch, or close other programs'

/** Holds what is needed against what there is. */
export function planMemory(need: MemoryNeed, machine: MachineMemory): MemoryPlan {
  const own = need.copiedBytes + need.activationBytes
  const text =
    `needs ${gigabytes(own)} of memory (${gigabytes(need.copiedBytes)} weights, ${gigabytes(need.activationBytes)} activations)` +
    ` and reads ${gigabytes(need.mappedBytes)} of weights in place;` +
    ` ${gigabytes(machine.availableBytes)} of ${gigabytes(machine.totalBytes)} available`
  if (own > machine.availableBytes)
    return { fits: false, slow: false, text: `not enough memory: ${text}; ${memoryAdvice}` }
  if (own + need.mappedBytes > machine.availableBytes) {
    return { fits: true, slow: true, text: `slow: the weights do not all stay in memory: ${text}; ${memoryAdvice}` }
  }
  return { fits: true, slow: false, text }
}

/** 1 GB = 10⁹ bytes, one decimal. */
function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`
}
