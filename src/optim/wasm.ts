/**
 * Writes small WebAssembly modules (WebAssembly 2.0, with its 128-bit vectors): what the loops over trained parameters need and no
 * more. JavaScript engines run such a loop over four float32 numbers at a time, and loops over Float32Arrays over one float64.
 * A piece of code is the bytes that leave its result on the stack, so `add(a, b)` is the bytes of a, of b, and of the addition.
 */
export type Code = readonly number[]

const types = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const
export type WasmType = keyof typeof types

/** A parameter or local variable of a function. */
export interface Local {
  readonly get: Code
  set(value: Code): Code
}

export interface WasmFunction<Name extends string = string> {
  readonly parameters: readonly (readonly [name: Name, type: WasmType])[]
  readonly locals: readonly (readonly [name: Name, type: WasmType])[]
  readonly result?: WasmType
  body(locals: Readonly<Record<Name, Local>>): Code
}

/** Infers the names of a function's variables from its lists. */
export function wasmFunction<Name extends string>(definition: WasmFunction<Name>): WasmFunction<Name> {
  return definition
}

const vector = (opcode: number): Code => [0xfd, ...unsigned(opcode)]
const binary =
  (...opcode: number[]) =>
  (a: Code, b: Code): Code => [...a, ...b, ...opcode]

/** Four float32 numbers. */
export const f32x4 = {
  /** Those at an address, a multiple of 16. */
  load: (address: Code): Code => [...address, ...vector(0x00), 4, 0],
  store: (address: Code, value: Code): Code => [...address, ...value, ...vector(0x0b), 4, 0],
  /** One number four times. */
  splat: (value: Code): Code => [...value, ...vector(0x13)],
  sqrt: (value: Code): Code => [...value, ...vector(0xe3)],
  add: binary(...vector(0xe4)),
  sub: binary(...vector(0xe5)),
  mul: binary(...vector(0xe6)),
  div: binary(...vector(0xe7)),
  abs: (value: Code): Code => [...value, ...vector(0xe0)],
  /** All bits of a number where a ≤ b, none where not or where one is NaN. */
  lessOrEqual: binary(...vector(0x45)),
  /** The bits of `value` that `mask` has not. */
  without: (value: Code, mask: Code): Code => [...value, ...mask, ...vector(0x4f)],
}

/** Two float64 numbers. */
export const f64x2 = {
  /** The first two of four float32 numbers. */
  promoteLow: (value: Code): Code => [...value, ...vector(0x5f)],
  add: binary(...vector(0xf0)),
  mul: binary(...vector(0xf2)),
  lane: (value: Code, lane: 0 | 1): Code => [...value, ...vector(0x21), lane],
}

/** The last two of four float32 numbers, moved to the front. */
export const highHalf = (value: Code): Code => [
  ...value,
  ...value,
  ...vector(0x0d),
  ...[8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15],
]

/** A float32 number, its bytes least first. */
export function constF32(value: number): Code {
  const bytes = new DataView(new ArrayBuffer(4))
  bytes.setFloat32(0, value, true)
  return [0x43, ...new Uint8Array(bytes.buffer)]
}

export const addF64: (a: Code, b: Code) => Code = binary(0xa0)

/** Runs `body` once for each 16 bytes from where the pointers stand, until the first of them has reached `end`. At least once. */
export function loop16(pointers: readonly Local[], end: Local, body: Code): Code {
  const next = pointers.flatMap((pointer) => pointer.set([...pointer.get, 0x41, 16, 0x6a])) // i32.const 16, i32.add
  const again = [...(pointers[0] as Local).get, ...end.get, 0x49, 0x0d, 0] // i32.lt_u, br_if 0
  return [0x03, 0x40, ...body, ...next, ...again, 0x0b]
}

/** The bytes of a module that exports `functions` and imports the memory they work on as `env.memory`. */
export function wasmModule(functions: Readonly<Record<string, WasmFunction>>): Uint8Array<ArrayBuffer> {
  const all = Object.entries(functions)
  const signatures = all.map(([, { parameters, result }]) => [
    0x60,
    ...list(parameters.map(([, type]) => [types[type]])),
    ...list(result ? [[types[result]]] : []),
  ])
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
    ...section(1, list(signatures)),
    ...section(2, list([[...text('env'), ...text('memory'), 2, 0, 0]])),
    ...section(3, list(all.map((_, i) => unsigned(i)))),
    ...section(7, list(all.map(([name], i) => [...text(name), 0, ...unsigned(i)]))),
    ...section(10, list(all.map(([, definition]) => bodyOf(definition)))),
  ])
}

function bodyOf({ parameters, locals, body }: WasmFunction): Code {
  const named = [...parameters, ...locals].map(([name], i): [string, Local] => [
    name,
    { get: [0x20, ...unsigned(i)], set: (value) => [...value, 0x21, ...unsigned(i)] },
  ])
  const code = [...list(locals.map(([, type]) => [1, types[type]])), ...body(Object.fromEntries(named)), 0x0b]
  return [...unsigned(code.length), ...code]
}

const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content]
const list = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()]
const text = (name: string): Code => [...unsigned(name.length), ...new TextEncoder().encode(name)]

/** LEB128. */
function unsigned(value: number): Code {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)]
}

export interface WasmMemory {
  readonly buffer: ArrayBuffer
}

/** The part of the global that is used; the type declarations of Node 20 leave it out. */
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number; readonly maximum: number }) => WasmMemory
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: object }
}

/** Zeros; memory of the machine is taken when they are written to. A RangeError says that there is none. */
export function wasmMemory(bytes: number): WasmMemory {
  const pages = Math.ceil(bytes / 65_536)
  return new WebAssembly.Memory({ initial: pages, maximum: pages })
}

/** Compiles a module; the returned function gives its exports for a memory. */
export function compile<Exports extends object>(bytes: Uint8Array<ArrayBuffer>): (memory: WasmMemory) => Exports {
  const module = new WebAssembly.Module(bytes)
  return (memory) => new WebAssembly.Instance(module, { env: { memory } }).exports as Exports
}
