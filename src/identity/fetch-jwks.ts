/** Gets a JWK Set from a configured address: one answer, plain, small and soon, or none. */
import { get as getHttp, type IncomingMessage } from 'node:http'
import { get as getHttps } from 'node:https'
import type { LookupFunction } from 'node:net'
import { type JsonObject, readJson } from '../domain/json.ts'

const MAX_BYTES = 1_048_576
const TIMEOUT_MS = 3000

/**
 * Follows no redirect and inflates nothing. Rejects with an error that is for the log.
 *
 * @param lookup how names are looked up, where not every address will do
 */
export async function fetchJwks(address: string, lookup?: LookupFunction): Promise<JsonObject> {
  const response = await responseFrom(address, lookup)
  try {
    const { statusCode, headers } = response
    if (statusCode !== 200) throw new Error(`The key set was answered with ${String(statusCode)}`)
    const encoding = headers['content-encoding'] ?? 'identity'
    if (encoding !== 'identity') throw new Error('The key set is compressed')
    return readJson(await bodyOf(response))
  } finally {
    response.destroy()
  }
}

function responseFrom(address: string, lookup?: LookupFunction): Promise<IncomingMessage> {
  const get = address.startsWith('https:') ? getHttps : getHttp
  const options = {
    agent: false,
    headers: { accept: 'application/json', 'accept-encoding': 'identity' },
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...(lookup && { lookup }),
  }
  return new Promise((resolve, reject) => {
    get(address, options, resolve).on('error', reject)
  })
}

async function bodyOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BYTES) throw new Error('The key set is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
