/**
 * A hub on 127.0.0.1 with one repository, `org/tiny`, that speaks the routes a download uses, as huggingface.co answers them:
 * `/api/models/…/revision/…`, `/api/models/…/tree/…`, `/…/resolve/…` (small files directly, large ones by a redirect to another origin)
 * and byte ranges. The old name `tiny` is redirected to `org/tiny`. It can be told to misbehave.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

export const commit = '0123456789abcdef0123456789abcdef01234567'

export interface Hub {
  readonly endpoint: string
  /** `GET /path range` of every request to the hub and to the storage behind it. */
  readonly requests: string[]
  /** What the next requests do wrong; may be changed at any time. */
  readonly faults: Faults
}

export interface Faults {
  /** Cuts the connection of the next large file after so many bytes; each entry is used once. */
  cutAfter: number[]
  /** Sends so many bytes of a large file and then nothing, with the connection open. */
  stallAfter?: number
  /** Answers a range with the whole file. */
  ignoreRange?: boolean
  /** Sends other bytes than the hash was made of; used so many times. */
  corrupt: number
  /** Refuses everything: status and X-Error-Code. */
  refuse?: [status: number, code?: string]
  /** Answers everything with a page. */
  page?: boolean
  /** The size that the listing states for a large file. */
  statedSize?: number
  /** The token without which everything is refused. */
  token?: string
}

/** Large (LFS) files are those of more than 1,000 bytes. */
export async function startHub(t: TestContext, files: Readonly<Record<string, Uint8Array>>): Promise<Hub> {
  const faults: Faults = { cutAfter: [], corrupt: 0 }
  const requests: string[] = []
  const serve = async (handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> => {
    const server = createServer((request, response) => {
      requests.push(`${request.method} ${request.url?.split('?')[0]} ${request.headers.range ?? ''}`.trim())
      handler(request, response)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => {
      server.closeAllConnections()
      server.close()
    })
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  const storage = await serve((request, response) => {
    if (request.headers.authorization !== undefined) return void response.writeHead(400).end('a token leaked')
    sendBytes(request, response, files[decodeURIComponent(request.url!.slice(1))]!, faults)
  })

  const endpoint = await serve((request, response) => {
    const [path] = request.url!.split('?') as [string]
    const file = /^\/org\/tiny\/resolve\/([^/]+)\/(.+)$/.exec(path)
    if (faults.page)
      return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Log in to the hotel</html>')
    if (faults.refuse !== undefined) return refuse(response, ...faults.refuse)
    if (faults.token !== undefined && request.headers.authorization !== `Bearer ${faults.token}`)
      return refuse(response, 401, 'GatedRepo')
    if (/^\/(api\/models\/)?tiny\//.test(path))
      return void response.writeHead(307, { location: path.replace('tiny/', 'org/tiny/') }).end()
    if (!path.startsWith('/org/tiny/') && !path.startsWith('/api/models/org/tiny/'))
      return refuse(response, 404, 'RepoNotFound')
    if (/\/revision\/(main|v1|refs%2Fpr%2F3|0123456789abcdef0123456789abcdef01234567)$/.test(path))
      return json(response, {
        _id: '1',
        id: 'org/tiny',
        sha: commit,
        private: false,
        lastModified: '2024-01-01T00:00:00.000Z',
      })
    if (path === `/api/models/org/tiny/tree/${commit}`) return json(response, listing(files, faults))
    const bytes = file?.[1] === commit ? files[file[2]!] : undefined
    if (bytes === undefined)
      return refuse(response, 404, path.includes('/revision/') ? 'RevisionNotFound' : 'EntryNotFound')
    const headers = { 'x-repo-commit': commit, etag: `"${gitHash(bytes)}"` }
    if (bytes.length <= 1000) return void response.writeHead(200, headers).end(bytes)
    const linked = { ...headers, 'x-linked-etag': `"${sha256(bytes)}"`, 'x-linked-size': bytes.length }
    response.writeHead(302, { ...linked, location: `${storage}/${file![2]}` }).end()
  })
  return { endpoint, requests, faults }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** What `git hash-object` prints. */
export function gitHash(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

function listing(files: Readonly<Record<string, Uint8Array>>, { statedSize }: Faults): unknown {
  const entries = Object.entries(files).map(([path, bytes]) => {
    const entry = { type: 'file', path, size: bytes.length, oid: gitHash(bytes) }
    if (bytes.length <= 1000) return entry
    const size = statedSize ?? bytes.length
    return { ...entry, size, lfs: { oid: sha256(bytes), size, pointerSize: 135 } }
  })
  return [...entries, { type: 'directory', path: 'onnx', size: 0, oid: gitHash(new Uint8Array(0)) }]
}

function sendBytes(request: IncomingMessage, response: ServerResponse, whole: Uint8Array, faults: Faults): void {
  const start = faults.ignoreRange ? 0 : Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
  const bytes = Buffer.from(whole.subarray(start))
  if (faults.corrupt > 0 && faults.corrupt--) bytes[0]! ^= 1
  const range = { 'content-range': `bytes ${start}-${whole.length - 1}/${whole.length}` }
  response.writeHead(start > 0 ? 206 : 200, { 'content-length': bytes.length, ...(start > 0 ? range : {}) })
  const cut = faults.cutAfter.shift()
  if (cut !== undefined) response.write(bytes.subarray(0, cut), () => setTimeout(() => response.destroy(), 20))
  else if (faults.stallAfter !== undefined) response.write(bytes.subarray(0, faults.stallAfter))
  else response.end(bytes)
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

function refuse(response: ServerResponse, status: number, code?: string): void {
  response.writeHead(status, code === undefined ? {} : { 'x-error-code': code }).end()
}
