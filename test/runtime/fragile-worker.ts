/** A worker whose functions go wrong in every way that a thread can; `node-channel.test.ts` calls them. */
import { serve } from '../../src/runtime/node-channel.ts'

export interface FragileFunctions {
  echo(value: number): number
  wait(milliseconds: number): number
  /** Waits; `progress[0]`, in shared memory, is 1 meanwhile and 2 behind it. */
  show(progress: Int32Array, milliseconds: number): void
  fail(message: string): void
  failLater(): Promise<void>
  exit(code: number): Promise<void>
  unsendable(): unknown
}

const never = () => new Promise<void>(() => {})

serve<FragileFunctions>({
  echo: (value) => value,
  async wait(milliseconds) {
    await new Promise((resolve) => setTimeout(resolve, milliseconds))
    return milliseconds
  },
  async show(progress, milliseconds) {
    progress[0] = 1
    await new Promise((resolve) => setTimeout(resolve, milliseconds))
    progress[0] = 2
  },
  fail(message) {
    throw new Error(message)
  },
  failLater() {
    setTimeout(() => {
      throw new Error('nobody caught this')
    }, 1)
    return never()
  },
  exit(code) {
    setTimeout(() => process.exit(code), 1)
    return never()
  },
  unsendable: () => () => 'a function cannot be sent',
})
