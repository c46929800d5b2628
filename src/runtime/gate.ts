/**
 * Says whether a worker is inside a call and whether it may begin another; both threads share it. It exists because ONNX
 * Runtime 1.30 aborts the whole process ("terminate called after throwing an instance of 'Napi::Error'") when its thread is
 * ended while it computes. So nobody ends the thread before it has left the gate.
 */
export class Gate {
  readonly memory: SharedArrayBuffer
  private readonly state: Int32Array

  constructor(memory = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory
    this.state = new Int32Array(memory)
  }

  /** The worker, before a call: false when the gate is closed. */
  enter(): boolean {
    Atomics.store(this.state, busy, 1)
    if (Atomics.load(this.state, closed) === 0) return true
    this.leave()
    return false
  }

  /** The worker, after a call. */
  leave(): void {
    Atomics.store(this.state, busy, 0)
    Atomics.notify(this.state, busy)
  }

  /** The caller: no call begins from now on. */
  close(): void {
    Atomics.store(this.state, closed, 1)
  }

  /** The caller: blocks until the worker is outside, at most `milliseconds`. */
  wait(milliseconds: number): void {
    Atomics.wait(this.state, busy, 1, milliseconds)
  }
}

const busy = 0
const closed = 1
