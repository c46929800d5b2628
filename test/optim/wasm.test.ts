import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile, f32x4, loop16, wasmFunction, wasmMemory, wasmModule } from '../../src/optim/wasm.ts'

/** y ← y·factor + y, four numbers at a time, so often that the body is longer than one LEB128 byte says. */
const grow = wasmFunction({
  parameters: [
    ['y', 'i32'],
    ['end', 'i32'],
    ['factor', 'f32'],
  ],
  locals: [['sum', 'v128']],
  body: ({ y, end, factor, sum }) =>
    loop16([y], end, [
      ...sum.set(f32x4.load(y.get)),
      ...Array.from({ length: 20 }, () =>
        sum.set(f32x4.add(f32x4.mul(sum.get, f32x4.splat(factor.get)), sum.get)),
      ).flat(),
      ...f32x4.store(y.get, sum.get),
    ]),
})

test('a module works on the memory that it is given', () => {
  const bytes = wasmModule({ grow })
  assert.ok(bytes.length > 300)
  const memory = wasmMemory(100)
  assert.equal(memory.buffer.byteLength, 65_536) // whole pages
  const numbers = new Float32Array(memory.buffer)
  numbers.set([1, 2, 3, 4, 5, 6, 7, 8, 9])
  const exports = compile<{ grow(y: number, end: number, factor: number): void }>(bytes)(memory)
  exports.grow(16, 32, 1) // the second four, doubled 20 times
  assert.deepEqual([...numbers.subarray(0, 9)], [1, 2, 3, 4, 5 * 2 ** 20, 6 * 2 ** 20, 7 * 2 ** 20, 8 * 2 ** 20, 9])
})

test('a memory of its own for every instance', () => {
  const make = compile<{ grow(y: number, end: number, factor: number): void }>(wasmModule({ grow }))
  const [one, two] = [wasmMemory(16), wasmMemory(16)]
  for (const { buffer } of [one, two]) new Float32Array(buffer).fill(1, 0, 4)
  make(one).grow(0, 16, 0)
  make(two).grow(0, 16, 1)
  assert.equal(new Float32Array(one.buffer)[3], 1)
  assert.equal(new Float32Array(two.buffer)[3], 2 ** 20)
})

test('more memory than there can be is a RangeError', () => {
  assert.throws(() => wasmMemory(2 ** 33), RangeError)
})
