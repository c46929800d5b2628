/** Files for the tests: a folder that goes away, and safetensors bytes made by hand (not by the code under test). */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** A new folder that is removed when the test ends. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'blip2-checkpoints-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A safetensors file: the length of the header, the header as JSON (or as given), and `dataLength` bytes 0, 1, 2, … */
export function safetensorsBytes(header: unknown, dataLength: number): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([prefix, json, Uint8Array.from({ length: dataLength }, (_, i) => i)])
}

/** Writes bytes or text into a folder and returns the path. */
export function put(folder: string, name: string, content: Uint8Array | string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}
