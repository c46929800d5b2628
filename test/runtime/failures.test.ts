import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SessionError } from '../../src/errors.ts'
import { sendable, sessionError } from '../../src/runtime/failures.ts'

/** What ONNX Runtime 1.30 and Node 20 said in trials (paths shortened) → what the user reads. */
const said: [string, RegExp][] = [
  [
    "Non-zero status code returned while running Expand node. Name:'Expand' Status Message: std::bad_alloc",
    /out of memory \(bad_alloc\); use a smaller model/,
  ],
  [
    'bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 400000',
    /out of memory \(Failed to allocate\); use/,
  ],
  ['Worker terminated due to reaching memory limit: JS heap out of memory', /out of memory \(out of memory\); use/],
  ['Array buffer allocation failed', /out of memory \(Array buffer allocation failed\); use/],
  [
    "Cannot find module '../bin/napi-v6/linux/ppc64/onnxruntime_binding.node'",
    /ONNX Runtime has no binary for this system/,
  ],
  ['Failed to load model because protobuf parsing failed.', /these bytes are not an ONNX model/],
  ['Something new', /^device: Something new$/],
]

test('known failures say what to try, unknown ones are passed on', () => {
  for (const [message, meaning] of said) {
    const cause = new Error(message)
    const error = sessionError('device', cause)
    assert.ok(error instanceof SessionError)
    assert.match(error.message, meaning)
    assert.equal(error.cause, cause)
  }
})

test('what is thrown can be sent to another thread, with its message and stack', () => {
  const exception = new DOMException('no clone', 'DataCloneError')
  const received = structuredClone(sendable(exception))
  assert.deepEqual([received.message, received.stack], ['no clone', exception.stack])
  assert.equal(structuredClone(sendable('only text')).message, 'only text')
})
