/**
 * Python's pickle, protocols 2 to 5, as far as a state dict needs it. A pickle is a program for a machine with a stack; the danger is in
 * three of its instructions, which look up any function, call it, and set any attribute. Here they do not: whoever reads gives a
 * `PickleHost` that knows a closed list of names. There is no recursion, and every instruction costs a bounded amount of memory.
 *
 * Source: CPython 3.11, Lib/pickletools.py (the instructions) and Lib/pickle.py (what they do).
 */
import type { CheckpointError } from '../errors.ts'
import { shown } from './json.ts'
import {
  type PickleBytes,
  pickleError,
  take,
  takeFloat,
  takeInteger,
  takeLength,
  takeLine,
  takeSigned,
  takeText,
  takeUnsigned,
} from './pickle-bytes.ts'
import { describe, isKind, type PickleGlobal, type PickleTuple, type PickleValue } from './pickle-values.ts'

/** What classes and functions of the pickle stand for. Each throws what `fail` makes of a message for whatever it does not know. */
export interface PickleHost {
  /** Allows a name, or refuses it. */
  global(name: string, fail: Fail): PickleGlobal
  /** What a function or class of that name returns for these arguments. */
  call(name: string, args: readonly PickleValue[], fail: Fail): PickleValue
  /** The object outside the pickle that `id` names. */
  load(id: PickleValue, fail: Fail): PickleValue
}

export type Fail = (message: string) => CheckpointError

/** Most instructions: 30 for each of 30,000 tensors. Each may cost some 250 bytes of memory (an empty dict), so this bounds that too. */
const maxInstructions = 1_000_000

/** Most tuples, lists and dicts that are open at once; honest files have less than ten. */
const maxOpen = 500

interface Machine extends PickleBytes {
  readonly host: PickleHost
  readonly stack: PickleValue[]
  /** Heights of the stack where something was opened. */
  readonly marks: number[]
  readonly memo: Map<number, PickleValue>
}

/** Reads the pickle that starts at `at`. `end` is the byte behind it. Throws CheckpointError. */
export function readPickle(
  bytes: Uint8Array,
  at: number,
  host: PickleHost,
  where: string,
): { readonly value: PickleValue; readonly end: number } {
  const machine: Machine = { bytes, where, at, start: at, host, stack: [], marks: [], memo: new Map() }
  const first = takeUnsigned(machine, 1)
  const protocol = first === PROTO ? takeUnsigned(machine, 1) : undefined
  if (protocol === undefined || protocol < 2 || protocol > 5)
    throw pickleError(machine, `expected a pickle of protocol 2 to 5, found ${protocol ?? 'something else'}`)
  for (let count = 0; count < maxInstructions; count++) {
    machine.start = machine.at
    const code = takeUnsigned(machine, 1)
    if (code === STOP) {
      const value = pop(machine)
      if (machine.stack.length > 0) throw pickleError(machine, `${machine.stack.length} values are left at the end`)
      return { value, end: machine.at }
    }
    const run = instructions.get(code)
    if (!run)
      throw pickleError(
        machine,
        `instruction 0x${code.toString(16)} has no place in a state dict; is this a checkpoint?`,
      )
    run(machine)
  }
  throw pickleError(machine, `more than ${maxInstructions} instructions; is this a checkpoint?`)
}

const PROTO = 0x80
const STOP = 0x2e

/** By their codes, with the names of pickletools.py. What only protocols 0 and 1 use is absent, and so are sets, extensions and buffers. */
const instructions: ReadonlyMap<number, (m: Machine) => void> = new Map([
  // Constants.
  [0x4e /* NONE */, (m) => push(m, null)],
  [0x88 /* NEWTRUE */, (m) => push(m, true)],
  [0x89 /* NEWFALSE */, (m) => push(m, false)],
  [0x4b /* BININT1 */, (m) => push(m, takeUnsigned(m, 1))],
  [0x4d /* BININT2 */, (m) => push(m, takeUnsigned(m, 2))],
  [0x4a /* BININT */, (m) => push(m, takeSigned(m))],
  [0x8a /* LONG1 */, (m) => push(m, takeInteger(m, takeUnsigned(m, 1)))],
  [0x8b /* LONG4 */, (m) => push(m, takeInteger(m, takeUnsigned(m, 4)))],
  [0x47 /* BINFLOAT */, (m) => push(m, takeFloat(m))],
  [0x8c /* SHORT_BINUNICODE */, (m) => push(m, takeText(m, takeUnsigned(m, 1)))],
  [0x58 /* BINUNICODE */, (m) => push(m, takeText(m, takeUnsigned(m, 4)))],
  [0x8d /* BINUNICODE8 */, (m) => push(m, takeText(m, takeLength(m)))],
  [0x43 /* SHORT_BINBYTES */, (m) => push(m, take(m, takeUnsigned(m, 1)))],
  [0x42 /* BINBYTES */, (m) => push(m, take(m, takeUnsigned(m, 4)))],
  [0x8e /* BINBYTES8 */, (m) => push(m, take(m, takeLength(m)))],
  [0x96 /* BYTEARRAY8 */, (m) => push(m, take(m, takeLength(m)))],

  // Containers.
  [0x28 /* MARK */, mark],
  [0x29 /* EMPTY_TUPLE */, (m) => push(m, tuple([]))],
  [0x85 /* TUPLE1 */, (m) => push(m, tuple(popSome(m, 1)))],
  [0x86 /* TUPLE2 */, (m) => push(m, tuple(popSome(m, 2)))],
  [0x87 /* TUPLE3 */, (m) => push(m, tuple(popSome(m, 3)))],
  [0x74 /* TUPLE */, (m) => push(m, tuple(popToMark(m)))],
  [0x5d /* EMPTY_LIST */, (m) => push(m, { kind: 'list', items: [] })],
  [0x61 /* APPEND */, (m) => append(m, popSome(m, 1))],
  [0x65 /* APPENDS */, (m) => append(m, popToMark(m))],
  [0x7d /* EMPTY_DICT */, (m) => push(m, { kind: 'dict', entries: new Map() })],
  [0x73 /* SETITEM */, (m) => setItems(m, popSome(m, 2))],
  [0x75 /* SETITEMS */, (m) => setItems(m, popToMark(m))],

  // The stack, and values that are used again.
  [0x30 /* POP */, (m) => void pop(m)],
  [0x31 /* POP_MARK */, (m) => void popToMark(m)],
  [0x32 /* DUP */, (m) => push(m, top(m))],
  [0x71 /* BINPUT */, (m) => void m.memo.set(takeUnsigned(m, 1), top(m))],
  [0x72 /* LONG_BINPUT */, (m) => void m.memo.set(takeUnsigned(m, 4), top(m))],
  [0x94 /* MEMOIZE */, (m) => void m.memo.set(m.memo.size, top(m))],
  [0x68 /* BINGET */, (m) => recall(m, takeUnsigned(m, 1))],
  [0x6a /* LONG_BINGET */, (m) => recall(m, takeUnsigned(m, 4))],
  [
    0x95 /* FRAME */,
    (m) => {
      const length = takeLength(m)
      if (length > m.bytes.length - m.at) take(m, length)
    },
  ],

  // Classes, functions and what they make: the host's.
  [0x63 /* GLOBAL */, (m) => pushGlobal(m, takeLine(m), takeLine(m))],
  [
    0x93 /* STACK_GLOBAL */,
    (m) => {
      const [module, name] = popSome(m, 2)
      if (typeof module !== 'string' || typeof name !== 'string')
        throw pickleError(
          m,
          `expected the names of a module and a class, found ${describe(module)} and ${describe(name)}`,
        )
      pushGlobal(m, module, name)
    },
  ],
  [0x52 /* REDUCE */, call],
  [0x81 /* NEWOBJ */, call],
  [0x62 /* BUILD */, build],
  [0x51 /* BINPERSID */, (m) => push(m, m.host.load(pop(m), fail(m)))],
])

function fail(m: Machine): Fail {
  return (message) => pickleError(m, message)
}

function push(m: Machine, value: PickleValue): void {
  m.stack.push(value)
}

function tuple(items: readonly PickleValue[]): PickleTuple {
  return { kind: 'tuple', items }
}

function mark(m: Machine): void {
  if (m.marks.length === maxOpen) throw pickleError(m, `more than ${maxOpen} levels of nesting`)
  m.marks.push(m.stack.length)
}

/** The last `count` values, removed; never below a mark. */
function popSome(m: Machine, count: number): PickleValue[] {
  if (m.stack.length - count < (m.marks.at(-1) ?? 0))
    throw pickleError(m, `expected ${count} values on the stack, found fewer; the file is damaged`)
  return m.stack.splice(m.stack.length - count)
}

function popToMark(m: Machine): PickleValue[] {
  const height = m.marks.pop()
  if (height === undefined) throw pickleError(m, 'the end of something that never began; the file is damaged')
  return m.stack.splice(height)
}

function pop(m: Machine): PickleValue {
  return popSome(m, 1)[0] as PickleValue
}

function top(m: Machine): PickleValue {
  const value = pop(m)
  push(m, value)
  return value
}

function recall(m: Machine, index: number): void {
  const value = m.memo.get(index)
  if (value === undefined) throw pickleError(m, `value ${index} is used and was never stored; the file is damaged`)
  push(m, value)
}

/** Adds to the list below. What is added to an opaque object is dropped, here and below. */
function append(m: Machine, items: readonly PickleValue[]): void {
  const target = top(m)
  if (isKind(target, 'opaque')) return
  if (!isKind(target, 'list')) throw pickleError(m, `expected a list to add to, found ${describe(target)}`)
  for (const item of items) target.items.push(item)
}

/** Sets keys (at even places) of the dict below. */
function setItems(m: Machine, items: readonly PickleValue[]): void {
  const target = top(m)
  if (isKind(target, 'opaque')) return
  if (!isKind(target, 'dict')) throw pickleError(m, `expected a dict to add to, found ${describe(target)}`)
  if (items.length % 2 !== 0) throw pickleError(m, 'a key without a value; the file is damaged')
  for (let i = 0; i < items.length; i += 2) {
    const key = items[i] as PickleValue
    if (target.entries.has(key))
      throw pickleError(m, `the key ${typeof key === 'string' ? shown(key) : describe(key)} occurs twice`)
    target.entries.set(key, items[i + 1] as PickleValue)
  }
}

function pushGlobal(m: Machine, module: string, name: string): void {
  push(m, m.host.global(`${module}.${name}`, fail(m)))
}

function call(m: Machine): void {
  const [callee, args] = popSome(m, 2)
  if (!isKind(callee, 'global')) throw pickleError(m, `expected a class to call, found ${describe(callee)}`)
  if (!isKind(args, 'tuple')) throw pickleError(m, `expected the arguments of ${callee.name}, found ${describe(args)}`)
  push(m, m.host.call(callee.name, args.items, fail(m)))
}

/** Sets attributes. A state dict (an OrderedDict) has one, `_metadata`: versions of its modules, not needed. */
function build(m: Machine): void {
  const state = pop(m)
  const target = top(m)
  if (isKind(target, 'opaque') || (isKind(target, 'dict') && isKind(state, 'dict'))) return
  throw pickleError(m, `attributes of ${describe(target)} cannot be set`)
}
