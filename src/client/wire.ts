/** One request, one answer that can be believed, or an error. */
import { isObject, type JsonObject, readJson } from '../domain/json.ts'
import { Refused, Unreachable } from './errors.ts'

const ANSWER_BYTES_MAX = 8 * 1024 * 1024
const LIMITS = { depth: 64, members: 100_000, items: 100_000, stringBytes: ANSWER_BYTES_MAX }

export interface Sent {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly timeoutMs: number
}

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly body: JsonObject
}

/**
 * Sends, and reads an answer that is JSON and nothing else. Redirects are not followed.
 *
 * @throws Refused for every status but 2xx
 * @throws Unreachable when there is no answer in time, or none that makes sense
 */
export async function exchange(sent: Sent): Promise<Answered> {
  const answer = await answerTo(sent)
  if (answer.status >= 200 && answer.status < 300) return answer
  throw new Refused(answer.status, answer.body)
}

/** The same, with refusals as answers. */
export async function answerTo(sent: Sent): Promise<Answered> {
  const signal = AbortSignal.timeout(sent.timeoutMs)
  return await answerIn(await responseTo(sent, { redirect: 'error', signal }))
}

/** The answer itself, unread. The signal ends it, at whatever point. */
export async function responseTo(
  { method, url, headers, body }: Sent,
  { redirect, signal }: { redirect: 'error' | 'manual'; signal: AbortSignal | undefined },
): Promise<Response> {
  try {
    return await fetch(url, {
      ...{ method, headers, redirect },
      ...(signal === undefined ? {} : { signal }),
      ...(body === undefined ? {} : { body }),
    })
  } catch (cause) {
    throw new Unreachable(`no answer from ${new URL(url).origin}`, { cause })
  }
}

export async function answerIn(response: Response): Promise<Answered> {
  try {
    const bytes = new Uint8Array(await response.arrayBuffer())
    return { status: response.status, headers: response.headers, body: objectIn(response, bytes) }
  } catch (cause) {
    if (cause instanceof Unreachable) throw cause
    throw new Unreachable(`no answer from ${new URL(response.url).origin}`, { cause })
  }
}

function objectIn(response: Response, bytes: Uint8Array): JsonObject {
  if (response.status === 204 || bytes.length === 0) return {}
  const type = response.headers.get('content-type') ?? ''
  if (!/^application\/(problem\+)?json\b/.test(type) || bytes.length > ANSWER_BYTES_MAX) {
    throw new Unreachable(`what answered at ${new URL(response.url).origin} is not a broker`)
  }
  const body = readJson(bytes, LIMITS)
  if (!isObject(body)) throw new Unreachable('the answer is not an object')
  return body
}
