import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { clearData } from '../../src/cli/dev/clear.ts'
import { DEV_ISSUER, startDevIssuer } from '../../src/cli/dev/issuer.ts'
import { keptKey } from '../../src/cli/dev/kept-key.ts'
import { parseTrusted } from '../../src/domain/json.ts'
import { aFolder } from './run.ts'

const issuer = await startDevIssuer({ port: 0 })
afterAll(() => issuer.stop())

const ask = (body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${issuer.url}/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

describe('the stand-in identity provider', () => {
  it('gives anybody on this machine a token of a made-up person', async () => {
    const answer = await ask({ person: 'ana', audience: 'http://localhost:8787' })
    const { access_token: token } = (await answer.json()) as { access_token: string }
    const claims = parseTrusted(
      Buffer.from(token.split('.')[1] ?? '', 'base64url').toString(),
    ) as Record<string, unknown>
    expect(claims).toMatchObject({ iss: DEV_ISSUER, sub: 'ana', aud: 'http://localhost:8787' })
  })

  it('knows nobody else', async () => {
    expect((await ask({ person: 'mallory', audience: 'x' })).status).toBe(400)
    expect((await ask({ person: 'constructor', audience: 'x' })).status).toBe(400)
  })

  it('gives no token to a page of another site: not by a form, not under another name', async () => {
    const form = await ask({ person: 'ana', audience: 'x' }, { 'content-type': 'text/plain' })
    expect(form.status).toBe(404)
    expect(form.headers.get('access-control-allow-origin')).toBeNull()
    expect(await statusAs('evil.example')).toBe(403)
    expect(await statusAs('localhost')).toBe(200)
  })

  it('listens on loopback only', () => {
    expect(new URL(issuer.url).hostname).toBe('localhost')
  })
})

/** `fetch` does not let the name in `Host` be chosen; a page that rebinds its name does. */
function statusAs(host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(issuer.url)
    const sent = request(
      { port, host: '127.0.0.1', path: '/jwks', headers: { host } },
      (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      },
    )
    sent.once('error', reject).end()
  })
}

describe('a kept key', () => {
  it('is the same at the next start, and nobody else reads it', () => {
    const file = join(aFolder(), 'services', 'one.json')
    const key = keptKey(file)
    expect(keptKey(file).jkt).toBe(key.jkt)
    expect(statSync(file).mode & 0o077).toBe(0)
  })
})

describe('dev --reset', () => {
  it('deletes what is ours', async () => {
    const folder = join(aFolder(), 'data')
    mkdirSync(join(folder, 'keys'), { recursive: true })
    await clearData(folder)
    expect(existsSync(folder)).toBe(false)
  })

  it('deletes nothing where there is anything else', async () => {
    const folder = aFolder()
    mkdirSync(join(folder, 'keys'))
    writeFileSync(join(folder, 'thesis.txt'), 'years of work')
    await expect(clearData(folder)).rejects.toThrow('thesis.txt')
    expect(existsSync(join(folder, 'keys'))).toBe(true)
    expect(readFileSync(join(folder, 'thesis.txt'), 'utf8')).toBe('years of work')
  })
})
