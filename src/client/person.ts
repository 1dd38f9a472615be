/** People's calls, and those of targets: a bearer token, JSON both ways. */
import { randomUUID } from 'node:crypto'
import { canonical, type JsonObject } from '../domain/json.ts'
import { answerTo, exchange } from './wire.ts'
import { Refused } from './errors.ts'
import type { Key } from './key.ts'

export interface Caller {
  get(path: string): Promise<JsonObject>
  /** A retry with the same key is answered with the same ids. */
  post(path: string, body: JsonObject, idempotencyKey?: string): Promise<JsonObject>
  delete(path: string): Promise<JsonObject>
}

/** @param token a fresh bearer token for each call */
export function createCaller(
  issuer: string,
  token: () => Promise<string> | string,
  timeoutMs = 35_000,
): Caller {
  async function call(
    method: string,
    path: string,
    extra: Partial<Record<string, string>>,
    body?: string,
  ) {
    const headers: Record<string, string> = { authorization: `Bearer ${await token()}` }
    for (const [name, value] of Object.entries(extra))
      if (value !== undefined) headers[name] = value
    const message = body === undefined ? {} : { body }
    return (await exchange({ method, url: issuer + path, headers, timeoutMs, ...message })).body
  }
  return {
    get: (path) => call('GET', path, {}),
    post: (path, body, idempotencyKey = randomUUID()) =>
      call(
        'POST',
        path,
        { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
        canonical(body),
      ),
    delete: (path) => call('DELETE', path, {}),
  }
}

/** A target or gateway, known by its registered key: each call carries an assertion of its own. */
export function createService(issuer: string, name: string, key: Key): Caller & Introspecting {
  const assertion = () => {
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: name, sub: name, aud: issuer, iat: now, exp: now + 60, jti: randomUUID() }
    return key.sign('client-authentication+jwt', claims)
  }
  return {
    ...createCaller(issuer, assertion),
    async introspect(token) {
      const form = new URLSearchParams({
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion(),
        token,
      })
      const answer = await answerTo({
        ...{ method: 'POST', url: `${issuer}/oauth/introspect`, body: form.toString() },
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        timeoutMs: 20_000,
      })
      if (answer.status !== 200) throw new Refused(answer.status, answer.body)
      return answer.body
    },
  }
}

export interface Introspecting {
  /** RFC 7662. `{active: false}` and nothing else for what is not alive, or not for this target. */
  introspect(token: string): Promise<JsonObject>
}
