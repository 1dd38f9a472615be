/** HTTP by hand: what is sent is what a line says, byte for byte; what comes back is kept whole. */
import { connect } from 'node:net'
import type { JsonObject } from '../../src/domain/json.ts'

export type HeaderLine = readonly [name: string, value: string]

export interface Sending {
  readonly method: string
  /** As it stands in the request line, query and all. */
  readonly path: string
  /** In this order; a name may be there twice. `Host` and `Content-Length` are added unless given. */
  readonly headers?: readonly HeaderLine[]
  readonly body?: string | Uint8Array
}

export interface Answer {
  readonly status: number
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>
  readonly text: string
  /** `{}` where the body is no JSON object. */
  readonly body: JsonObject
  readonly sent: Sending
  /** Which of the two brokers answered. */
  readonly at: number
}

const DEADLINE_MS = 30_000

/** One request on a connection of its own. A connection that ends early gives what had come by then. */
export async function exchange(port: number, sent: Sending, at = 0): Promise<Answer> {
  const received = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    const done = () => {
      socket.destroy()
      resolve(text)
    }
    socket.setTimeout(DEADLINE_MS, () => {
      socket.destroy(new Error(`no answer to ${sent.method} ${sent.path.slice(0, 100)}`))
    })
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      if (isWhole(text)) done()
    })
    socket.on('close', done).on('error', (error) => {
      if (text === '') reject(error)
      else done()
    })
    socket.write(bytesOf(sent))
  })
  const [head = '', ...rest] = received.split('\r\n\r\n')
  const [first = '', ...lines] = head.split('\r\n')
  const headers = new Map(lines.map(headerIn))
  const text = rest.join('\r\n\r\n')
  return { status: Number(first.split(' ')[1]), headers, text, body: bodyIn(text), sent, at }
}

function bytesOf({ method, path, headers = [], body }: Sending): Buffer {
  const has = (wanted: string) => headers.some(([name]) => name.toLowerCase() === wanted)
  const octets = Buffer.from(body ?? '')
  const all: HeaderLine[] = [...headers]
  if (!has('host')) all.unshift(['Host', '127.0.0.1'])
  const isSized = has('content-length') || has('transfer-encoding')
  if (octets.length > 0 && !isSized) all.push(['Content-Length', String(octets.length)])
  const lines = [`${method} ${path} HTTP/1.1`, ...all.map(([name, value]) => `${name}: ${value}`)]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), octets])
}

function isWhole(received: string): boolean {
  const [head = '', ...rest] = received.split('\r\n\r\n')
  if (rest.length === 0) return false
  if (/^HTTP\/1\.1 (204|304)/.test(head)) return true
  const length = /^content-length: (\d+)/im.exec(head)?.[1]
  return length !== undefined && Buffer.byteLength(rest.join('\r\n\r\n')) >= Number(length)
}

function headerIn(line: string): HeaderLine {
  const [name = '', ...value] = line.split(': ')
  return [name.toLowerCase(), value.join(': ')]
}

function bodyIn(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as JsonObject) : {}
  } catch {
    return {}
  }
}

/** The text of an answer as a failing test may print it: without what would open anything. */
export function printable({ text }: Pick<Answer, 'text'>): string {
  return text
    .replace(/(eyJ[\w-]+\.[\w-]+\.)[\w-]+/g, '$1…')
    .replace(/("(?:password|url)":")[^"]*/g, '$1…')
}
