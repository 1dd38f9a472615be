import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, it } from 'vitest'
import { createRedeemer } from '../../src/target/redeem.ts'

type Handler = (res: ServerResponse, n: number) => void
const servers: { close(): unknown }[] = []
afterAll(() => {
  for (const server of servers) server.close()
})

/** A broker that does as it is told, and what it was asked. */
async function aBroker(handler: Handler) {
  const asked: IncomingMessage['headers'][] = []
  const server = createServer((req, res) => {
    asked.push(req.headers)
    handler(res, asked.length)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  let n = 0
  const redeem = createRedeemer({ issuer, assertion: () => `assertion-${String((n += 1))}` })
  const verified = { ok: true, claims: {}, token: 'a.b.c', argsHash: 'x' } as const
  return { asked, redeem: () => redeem(verified, 'payments.refund') }
}
const says = (status: number, body: object | string): Handler => {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return (res) => res.writeHead(status, { 'content-type': 'application/json' }).end(text)
}

it('acts on a 200 and on nothing else', async () => {
  const { redeem } = await aBroker(says(200, { credential_id: 'crd_1' }))
  expect(await redeem()).toEqual({ ok: true, redemption: { credential_id: 'crd_1' } })
  for (const [status, body, expected] of [
    [409, { code: 'already_redeemed' }, '401 already_redeemed'],
    [410, { code: 'credential_gone' }, '401 credential_gone'],
    [404, { code: 'not_found' }, '401 not_found'],
    [409, { code: 'args_mismatch' }, '403 args_mismatch'],
    [401, { code: 'invalid_client' }, '503 invalid_client'],
    [503, { code: 'unavailable' }, '503 unavailable'],
    [500, { code: 'x"y' }, '503 broker'],
    [201, {}, '503 broker'],
    [200, 'no json', '503 broker'],
  ] as const) {
    const found = await (await aBroker(says(status, body))).redeem()
    expect(found.ok ? 'ok' : `${String(found.status)} ${found.reason}`).toBe(expected)
  }
})

it('asks again where no answer came, under the same key and with another assertion, and twice at most', async () => {
  const ok = says(200, { credential_id: 'crd_1' })
  const late = await aBroker((res, n) => {
    if (n === 1) res.destroy()
    else ok(res, n)
  })
  expect((await late.redeem()).ok).toBe(true)
  const [first, second] = late.asked
  expect(first?.['idempotency-key']).toBe(second?.['idempotency-key'])
  expect(first?.authorization).not.toBe(second?.authorization)
  await late.redeem()
  expect(late.asked[2]?.['idempotency-key']).not.toBe(first?.['idempotency-key'])

  const never = await aBroker((res) => res.destroy())
  expect(await never.redeem()).toMatchObject({ ok: false, status: 503, code: 'unavailable' })
  expect(never.asked).toHaveLength(2)
})
