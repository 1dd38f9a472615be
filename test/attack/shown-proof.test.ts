/** Targets that hand on the proof of the agent that called them, from two brokers at once. */
import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { textIn } from '../../src/cli/member.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { aRun, REFUNDING } from '../scenario/house.ts'
import {
  codeOf,
  outcomes,
  refund,
  sha256,
  twoBrokers,
  twoDelivering,
  untilAnswered,
} from './two-brokers.ts'

const [COPIES, SHOP] = [20, 'https://payments.example/refunds']

describe.each([
  ['two brokers', twoBrokers],
  ['two delivering processes', twoDelivering],
])('%s', (_what, start) => {
  let { database, issuer, by } = {} as Awaited<ReturnType<typeof twoBrokers>>
  beforeAll(async () => {
    ;({ database, issuer, by } = await start())
  })

  const redeem = (spending: JsonObject, key?: string) =>
    by.service.post('/v1/redemptions', spending, key)

  /** What a target sends that was shown a token, and a proof for it. */
  async function shown(): Promise<JsonObject> {
    const run = await aRun(by.as('kim'), issuer, REFUNDING)
    const answer = await run.client.requestCredential(refund)
    if (answer.status !== 'active') throw new Error('nobody was to be asked')
    const token = textIn(answer.credential, 'token')
    const about = { jti: randomUUID(), htm: 'POST', htu: SHOP, ath: sha256(token) }
    const claims = { ...about, iat: Math.floor(Date.now() / 1000) }
    const proof = run.key.sign('dpop+jwt', claims, { jwk: run.key.publicJwk })
    const args = textIn(answer.body, 'args_hash')
    return { token, tool: refund.tool, args_hash: args, dpop: { proof, htm: 'POST', htu: SHOP } }
  }

  it('[TOK-08, DEL-22] one redemption in many copies under one key is one, and no copy is a replay', async () => {
    const spending = await shown()
    const copies = Array.from({ length: COPIES }, () => redeem(spending, 'one-redemption'))
    const { done = 0, idempotency_in_flight = 0, ...others } = await outcomes(copies)
    expect(others).toEqual({})
    expect(done).toBeGreaterThan(0)
    expect(done + idempotency_in_flight).toBe(COPIES)
    const told = await Promise.allSettled([...copies, redeem(spending, 'one-redemption')])
    const answers = told.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []))
    expect(new Set(answers.map((it) => JSON.stringify(it))).size).toBe(1)
    const usages = await database.query(
      `select from ledger.leaf
       where event_type = 'usage' and entry::jsonb #>> '{credential,id}' = $1`,
      [textIn(answers[0] ?? {}, 'credential_id')],
    )
    expect(usages).toHaveLength(1)
  })

  it('[DPP-14, TOK-08] one proof in many requests is one redemption, and the others are told why', async () => {
    const spending = await shown()
    const { done, invalid_dpop_proof, ...others } = await outcomes(
      Array.from({ length: COPIES }, () => redeem(spending)),
    )
    expect({ done, invalid_dpop_proof, others }).toEqual({
      ...{ done: 1, invalid_dpop_proof: COPIES - 1, others: {} },
    })
  })

  it('[TOK-08] a redemption that could not be put on record is done when it is sent again', async () => {
    const spending = await shown()
    const again = () => redeem(spending, 'sent-again')
    await database.query(`create function public.no() returns trigger language plpgsql as
      $$begin raise exception 'not now'; end$$`)
    onTestFinished(async () => {
      await database.query('drop function public.no() cascade')
    })
    await database.query(
      'create trigger no before insert on ledger.leaf for each row execute function public.no()',
    )
    expect(await again().then(String, codeOf)).toBe('unavailable')
    await database.query('drop trigger no on ledger.leaf')
    const done = await untilAnswered(again)
    expect(await again()).toEqual(done)
    expect(await redeem(spending).then(String, codeOf)).toBe('invalid_dpop_proof')
  })
})
