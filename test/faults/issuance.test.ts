/** What a target made is not what was decided; or nobody is left who could say what it made. */
import { describe, expect, it } from 'vitest'
import { createCdp } from '../../src/delivery/cdp.ts'
import type { Target } from '../../src/delivery/targets.ts'
import type { CredentialId, DecisionId } from '../../src/domain/ids.ts'
import type { Issued } from '../../src/domain/lease.ts'
import { aWorld, issue, leaves, ORDERS, stateOf, type World } from '../delivery/world.ts'

const HOUR = 3_600_000
const DIFFERENT: readonly (readonly [string, (made: Issued) => Issued])[] = [
  ['of another kind', (made) => ({ ...made, kind: 'jwt' })],
  ['for a second longer', (made) => ({ ...made, expiresAt: later(made, 1000) })],
  ['for an hour longer', (made) => ({ ...made, expiresAt: later(made, HOUR) })],
  ['for ever', (made) => ({ ...made, expiresAt: new Date(NaN) })],
]
const later = ({ expiresAt }: Issued, ms: number) => new Date(expiresAt.getTime() + ms)

/** The delivering side over targets that tell of what they made in this way. */
function lying(world: World, lie: (made: Issued) => Issued): World {
  const lied = (target: Target): Target => ({
    ...target,
    issue: async (intent, signal) => lie(await target.issue(intent, signal)),
  })
  const targets = new Map([...world.targets].map(([name, target]) => [name, lied(target)]))
  const { pool, ledger, decisions } = world
  return { ...world, cdp: createCdp({ tenant: 'main', pool, ledger, decisions, targets }) }
}

describe('[F51] a credential that its target made', () => {
  it.each(DIFFERENT)('%s is refused and ended, and the log names it', async (_, lie) => {
    const world = await aWorld()
    const { jti = null, credential_id = null } = world.claims()
    await issue(world, ORDERS) // The control: alive, and it stays.
    const refusal: unknown = await issue(lying(world, lie), {
      ...ORDERS,
      jti,
      credential_id,
    }).catch((error: unknown) => error)
    expect(refusal).toMatchObject({ code: 'downstream_failed', cause: { name: 'NotAsDecided' } })
    expect(world.fake.live.size).toBe(1)
    expect(await stateOf(world.db, credential_id as string)).toMatchObject({
      state: 'failed',
    })
    const types = (await leaves(world.db)).map(({ event_type }) => event_type)
    expect(types).toEqual(['issuance', 'issuance_failed'])
  })

  it('for a shorter time is one', async () => {
    const world = await aWorld()
    const shorter = lying(world, (made) => ({ ...made, expiresAt: later(made, -5000) }))
    await expect(issue(shorter, ORDERS)).resolves.toMatchObject({ lease: { state: 'active' } })
  })
})

describe('[F06, F08, F65] a request whose broker died between its decision and its credential', () => {
  it('is told to wait while that may be under way, then that it came to nothing, and never a secret', async () => {
    const world = await aWorld()
    const { lease, decision } = await world.redeem(ORDERS)
    const again = () => world.aReplica().cdp.find(lease, decision)
    const waiting = { code: 'idempotency_in_flight', shown: { decision, retryAfterSeconds: 1 } }
    await expect(again()).rejects.toMatchObject(waiting)
    const sweeper = world.aSweeper()
    expect(await sweeper.sweepOnce(inSeconds(25)), 'it may be alive').toBe(0)
    await expect(again()).rejects.toMatchObject(waiting)
    expect(await sweeper.sweepOnce(inSeconds(31))).toBe(1)
    const over = { code: 'decision_stale', shown: { decision, reason: 'redeemed' } }
    for (let n = 0; n < 2; n += 1) await expect(again()).rejects.toMatchObject(over)
    expect(await leaves(world.db)).toMatchObject([
      { event_type: 'issuance_failed', reason: 'found_after_crash' },
    ])
  })

  it('before its lease is told to wait for as long as it could be redeemed, and then that it is too late', async () => {
    const world = await aWorld()
    const { jti, credential_id } = world.claims()
    const again = (decision: string) =>
      world.cdp.find(credential_id as CredentialId, decision as DecisionId)
    await expect(again(jti as string)).rejects.toMatchObject({ code: 'idempotency_in_flight' })
    // A decision of 2020: an id begins with when it was made.
    await expect(again(`dec_01${'0'.repeat(24)}`)).rejects.toMatchObject({
      code: 'decision_stale',
      shown: { reason: 'expired' },
    })
  })
})

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000)
