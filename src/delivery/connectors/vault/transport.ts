/**
 * How node-vault reaches its server here. Its own way follows redirects with the token, takes proxies,
 * a token and a namespace from the environment, and cannot be stopped (docs/adr/0010).
 */
import { Agent, request as requestHttp } from 'node:http'
import { Agent as SecureAgent, request as requestHttps } from 'node:https'
import { canonical, type JsonObject, readJson } from '../../../domain/json.ts'
import type { Settings } from './settings.ts'

const ANSWER_BYTES_MAX = 1_048_576

/** What node-vault says of a call. Headers, endpoint and namespace that it made up are not looked at. */
export interface Call {
  readonly method: string
  readonly path: string
  readonly json?: JsonObject
}
interface Answered {
  readonly statusCode: number
  readonly body: JsonObject | undefined
  readonly request: { readonly path: string }
}

export interface Transport {
  send(call: Call): Promise<Answered>
  /** From the next call on. */
  token: string | null
  wrapSeconds: number | null
  close(): void
}

/** One server, on connections that do not outlive `close`; each call ends when the signal says so. */
export function createTransport(settings: Settings, signal: AbortSignal): Transport {
  const { address, ca, namespace } = settings
  const isSecure = address.startsWith('https:')
  const agent = isSecure
    ? new SecureAgent({ keepAlive: true, ...(ca !== undefined && { ca }) })
    : new Agent({ keepAlive: true })
  const base = new URL(address).origin
  const transport: Transport = {
    ...{ token: null, wrapSeconds: null },
    close: () => {
      agent.destroy()
    },
    async send({ method, path, json }) {
      const body = json === undefined ? null : Buffer.from(canonical(json))
      const headers = {
        'X-Vault-Request': 'true',
        ...(transport.token !== null && { 'X-Vault-Token': transport.token }),
        ...(transport.wrapSeconds !== null && {
          'X-Vault-Wrap-TTL': String(transport.wrapSeconds),
        }),
        ...(namespace !== undefined && { 'X-Vault-Namespace': namespace }),
        ...(body && { 'Content-Type': 'application/json', 'Content-Length': body.length }),
      }
      const options = { method, headers, agent, signal }
      const { status, text } = await exchange(`${base}/v1${path}`, options, body)
      return { statusCode: status, body: read(text), request: { path: '/' } }
    },
  }
  return transport

  function exchange(url: string, options: object, body: Buffer | null) {
    return new Promise<{ status: number; text: Buffer }>((resolve, reject) => {
      const request = (isSecure ? requestHttps : requestHttp)(url, options, (response) => {
        const parts: Buffer[] = []
        let size = 0
        response.on('data', (part: Buffer) => {
          size += part.length
          if (size > ANSWER_BYTES_MAX) request.destroy(new Error('The answer is too large'))
          else parts.push(part)
        })
        response.on('error', reject)
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts) })
        })
      })
      request.on('error', reject)
      request.end(body ?? undefined)
    })
  }
}

/** A page that somebody else put there is no answer, whatever its status. */
function read(text: Buffer): JsonObject | undefined {
  if (text.length === 0) return undefined
  try {
    return readJson(text)
  } catch {
    throw new Error('The answer is not JSON') // Its words are not quoted: they may be anything.
  }
}
