/** Versions for reports. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, cpus, platform } from 'node:os'
import { join } from 'node:path'
import { packageFolder } from '../tasks/node-package-folder.ts'

export interface Versions {
  readonly blip2: string
  readonly node: string
  readonly onnxruntime: string
  /** Operating system, architecture and processor. */
  readonly machine: string
}

export async function versions(): Promise<Versions> {
  const runtime = createRequire(import.meta.url).resolve('onnxruntime-node/package.json')
  return {
    blip2: await versionIn(join(packageFolder(), 'package.json')),
    node: process.versions.node,
    onnxruntime: await versionIn(runtime),
    machine: `${platform()} ${arch()}, ${cpus()[0]?.model.trim() ?? 'unknown processor'}`,
  }
}

async function versionIn(file: string): Promise<string> {
  return JSON.parse(await readFile(file, 'utf8')).version
}
