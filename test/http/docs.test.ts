import { parse } from 'yaml'
import { describe, expect, it } from 'vitest'
import { PROBLEMS } from '../../src/domain/problems.ts'
import { OAUTH_CODES } from '../../src/http/oauth-codes.ts'
import { aFront, serving } from '../fakes/front.ts'

const A_STRING: unknown = expect.any(String)

const BROWSER = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' }

describe('/docs', () => {
  it('is the contract for a program, and a page that lists the routes for a browser', async () => {
    await serving(aFront(), async ({ call }) => {
      for (const path of ['/docs', '/docs/openapi.yaml']) {
        const { headers, text } = await call('GET', path)
        expect(headers.get('content-type')).toBe('text/yaml; charset=utf-8')
        expect(parse(text)).toHaveProperty('openapi', '3.1.0')
      }
      const page = await call('GET', '/docs', { headers: BROWSER })
      expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
      expect(page.text).toContain('POST /v1/credentials')
      expect(page.text).not.toMatch(/<script|https?:\/\//)
      expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'/)
    })
  })

  it('costs what reading the contract costs once, however often browsers ask', async () => {
    await serving(aFront(), async ({ call }) => {
      const costOf = async (times: number) => {
        const before = process.cpuUsage()
        for (let n = 0; n < times; n += 1) await call('GET', '/docs', { headers: BROWSER })
        const { user, system } = process.cpuUsage(before)
        return user + system
      }
      await call('GET', '/docs/openapi.yaml')
      const once = await costOf(1)
      expect(await costOf(3)).toBeLessThan(once)
    })
  })
})

describe('/problems/{code}', () => {
  it('explains every code that there is, to a program and to a person', async () => {
    await serving(aFront(), async ({ call }) => {
      for (const code of [...Object.keys(PROBLEMS), ...Object.keys(OAUTH_CODES)]) {
        const { status, body } = await call('GET', `/problems/${code}`)
        expect(status, code).toBe(200)
        expect(body).toMatchObject({ code, title: A_STRING, fix: A_STRING })
      }
      const page = await call('GET', '/problems/access_denied', { headers: BROWSER })
      expect(page.text).toContain('Denied by policy')
      for (const code of ['toString', 'no_such', '__proto__']) {
        expect((await call('GET', `/problems/${code}`)).status).toBe(404)
      }
    })
  })
})
