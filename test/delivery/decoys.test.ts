/** What is shown a decoy: it answers as for what is dead, and notes it; and who can bring that about. */
import { beforeAll, describe, expect, it } from 'vitest'
import { createPool, type Role } from '../../src/db/connect.ts'
import { makeDecoy, noteCalled, noteShown, plant } from '../../src/delivery/decoys.ts'
import { mintedFor } from '../../src/delivery/minted.ts'
import { liveLease } from '../../src/delivery/proxy/live-lease.ts'
import { sha256 } from '../../src/domain/digest.ts'
import { type AgentId, newId } from '../../src/domain/ids.ts'
import { ProvenInstance } from '../../src/domain/instance.ts'
import { signToken } from '../../src/domain/jws.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import type { By } from '../../src/domain/request.ts'
import { ARGS, AUDIENCE } from './bench.ts'
import {
  anInstance,
  another,
  aWorld,
  issue,
  now,
  payments,
  stop,
  WHO,
  type World,
} from './world.ts'

let world: World
beforeAll(async () => {
  world = await aWorld()
  await anAgent(WHO.agent)
})

/** Of a sponsor of its own; but the one that all the others know. */
async function anAgent(id: AgentId = newId('agt', now())): Promise<AgentId> {
  const sponsor = id === WHO.agent ? WHO.sponsor : newId('spn', now())
  await world.db.query(
    `insert into procura.person (tenant, id, issuer, subject, roles, groups)
     values ('main', $1, 'https://id.example', $1, '{sponsor}', '{}')`,
    [sponsor],
  )
  await world.db.query(
    `insert into procura.agent (tenant, id, sponsor, name, workload, workload_key, status, created_at,
       event_id) values ('main', $1, $2, 'a', '{}', $1, 'active', now(), 'evt_x')`,
    [id, sponsor],
  )
  return id
}

const TERMS = {
  ...{ sponsor: WHO.sponsor, agent: WHO.agent, audience: AUDIENCE, seconds: 90 * 86_400 },
  ...{ tool: 'payments.refund', purpose: 'support.refunds' },
}
const NOWHERE = 'urn:uuid:5f3a3f0e-93a1-4b54-9d0f-3cb0a4b7f2a1'

/** In the table as `procura canary plant` puts it there. */
async function planted(audience = AUDIENCE, holder: string = WHO.agent) {
  const decoy = await makeDecoy(world.credentialKeys, { ...TERMS, audience }, now())
  const token = decoy.token.reveal()
  const kind = holder.startsWith('agt') ? 'agent' : 'sponsor'
  const at = { tenant: 'main', pool: world.db.pool('procura_front') }
  await plant(at, decoy, { kind, holder, label: 'here' })
  return { id: decoy.id, token }
}
const seenAt = async (id: string) => {
  const [row] = await world.db.query<{ seen_at: Date | null }>(
    'select seen_at from procura.canary where id = $1',
    [id],
  )
  return row?.seen_at ?? null
}
const by: By = {
  act: {
    ...{ requestId: 'req-2', face: 'native' },
    actor: { kind: 'service', id: 'payments', authentication: 'service_assertion' },
  },
  origin: { address: '127.0.0.1', userAgent: null },
  key: null,
}
const call = (token: string, of: object = {}) => ({
  ...{ token, tool: 'payments.refund', argsHash: ARGS, dpop: null, ...of },
})
/** Called for another call than that which it is for: whoever has it cannot know that one. */
const argsIn = (token: string) => {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    authorization_details: [{ args_hash: string }]
  }
  return { argsHash: claims.authorization_details[0].args_hash }
}
const refusalOf = async (attempt: Promise<unknown>) =>
  await attempt.then(
    () => 'done',
    (error: unknown) => (error instanceof BrokerError ? [error.code, error.shown] : error),
  )

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
/** The same token with the other of the two ES256 signatures that verify: s turned into n − s. */
function twin(token: string): string {
  const at = token.lastIndexOf('.') + 1
  const signature = Buffer.from(token.slice(at), 'base64url')
  const s = ORDER - BigInt(`0x${signature.subarray(32).toString('hex')}`)
  signature.write(s.toString(16).padStart(64, '0'), 32, 'hex')
  return token.slice(0, at) + signature.toString('base64url')
}

/** A credential that was one, and was stopped. */
async function aDead() {
  const { token, lease } = await issue(world, world.claims())
  await stop(world.db, 'credential', lease.id)
  return token
}

describe('[CB-46] a decoy', () => {
  it('is inactive to whoever asks about it, for themselves or for others, and was seen', async () => {
    for (const service of [payments, another]) {
      const { id, token } = await planted()
      expect(await world.introspect(service, token)).toBeNull()
      expect(await seenAt(id), service.name).toBeInstanceOf(Date)
    }
  })

  it.each<[string, typeof payments, (token: string) => object, string]>([
    ['for its audience, for its very call', payments, argsIn, 'credential_gone'],
    [
      'for its audience, for another call',
      payments,
      () => ({ argsHash: sha256('x') }),
      'args_mismatch',
    ],
    ['for its audience, with a wrong proof', payments, wrongProof, 'invalid_dpop_proof'],
    ['for another audience', another, argsIn, 'not_found'],
  ])('is redeemed as what was stopped is, %s, and was seen', async (_how, service, of, code) => {
    const { id, token } = await planted()
    const dead = await aDead()
    const redeem = (shown: string) =>
      refusalOf(world.credentials.redeem(service, call(shown, of(shown)), by))
    const refusal = await redeem(token)
    expect(refusal).toEqual([code, {}])
    expect(refusal).toEqual(await redeem(dead))
    expect(await seenAt(id)).toBeInstanceOf(Date)
  })

  it('is nothing to revoke, by an agent or by a service, and was seen', async () => {
    const minting = {
      ...{
        tenant: 'main',
        pool: world.db.pool('procura_front'),
        credentials: world.credentialKeys,
      },
    }
    for (const of of [{ agent: WHO.agent }, { agent: await anAgent() }, { audience: AUDIENCE }]) {
      const { id, token } = await planted(NOWHERE)
      expect(await mintedFor(minting, of, token)).toBeNull()
      expect(await seenAt(id)).toBeInstanceOf(Date)
    }
  })

  it('is seen once: when it was first, however often it is shown', async () => {
    const { id, token } = await planted()
    await Promise.all(Array.from({ length: 10 }, () => world.introspect(payments, token)))
    const first = await seenAt(id)
    await world.introspect(payments, token)
    await refusalOf(world.credentials.redeem(payments, call(token), by))
    expect(await seenAt(id)).toEqual(first)
  })

  it('is one with whatever signature, the twin that verifies as well among them', async () => {
    for (const how of [twin, (token: string) => `${token.slice(0, -4)}AAAA`]) {
      const { id, token } = await planted()
      expect(await world.introspect(payments, how(token))).toBeNull()
      expect(await seenAt(id)).toBeInstanceOf(Date)
    }
    const { token } = await issue(world, world.claims())
    expect(await world.introspect(payments, twin(token))).not.toBeNull()
  })

  it('is still one when the key that signed it is gone', async () => {
    const { id, token } = await planted()
    const other = (await aWorld()).credentialKeys
    const minting = { tenant: 'main', pool: world.db.pool('procura_front'), credentials: other }
    expect(await mintedFor(minting, { agent: WHO.agent }, token)).toBeNull()
    expect(await seenAt(id)).toBeInstanceOf(Date)
  })

  it('cannot be answered where it cannot be noted', async () => {
    const { token } = await planted()
    const nobody = createPool({ url: 'postgres://x@127.0.0.1:1/x', role: null, max: 1 })
    const noted = noteShown({ tenant: 'main', pool: nobody }, token)
    expect(await refusalOf(noted)).toMatchObject(['unavailable', {}])
    await nobody.end()
  })
})

describe('[CB-46] nobody is seen with a decoy', () => {
  it('by another token with its id, though it be signed by the same key', async () => {
    const { id, token } = await planted()
    const claims = JSON.parse(
      Buffer.from(token.split('.')[1] ?? '', 'base64url').toString(),
    ) as never
    const { keys } = (await aWorld()).credentialKeys
    const signer = { ...world.credentialKeys, keys: [{ ...keys[0], kid: 'another' }] as const }
    const resigned = await signToken('credential', claims, signer)
    const sworn = { ...(claims as object), exp: 0 }
    const other = await signToken('credential', sworn, world.credentialKeys)
    for (const shown of [resigned, other, id, token.slice(0, token.lastIndexOf('.')), '', '.']) {
      await world.introspect(payments, shown)
      await refusalOf(world.credentials.redeem(payments, call(shown), by))
    }
    expect(await seenAt(id)).toBeNull()
  })

  it('that is alive, spent or stopped: those are no decoys', async () => {
    const { token } = await issue(world, world.claims())
    await world.introspect(payments, token)
    await world.introspect(payments, await aDead())
    const rows = await world.db.query(`select from procura.canary where label <> 'here'`)
    expect(rows).toEqual([])
  })
})

describe('[CB-46] its id, asked for as a lease to call through', () => {
  const instanceOf = (agent: AgentId) =>
    ProvenInstance.proven({ ...anInstance().session, agent }, 'jkt')
  const called = (id: `crd_${string}`, agent: AgentId) =>
    refusalOf(
      liveLease({ tenant: 'main', pool: world.db.pool('procura_cdp') }, instanceOf(agent), id),
    )

  it('is not found, as any; and is seen with a run of its holder, or of an agent of theirs', async () => {
    for (const holder of [WHO.agent, WHO.sponsor]) {
      const { id } = await planted(NOWHERE, holder)
      expect(await called(id, WHO.agent)).toEqual(['not_found', {}])
      expect(await called(newId('crd', now()), WHO.agent)).toEqual(['not_found', {}])
      expect(await seenAt(id), holder).toBeInstanceOf(Date)
    }
  })

  it('harms nobody where another asks: an id is no secret', async () => {
    const stranger = await anAgent()
    for (const holder of [WHO.agent, WHO.sponsor]) {
      const { id } = await planted(NOWHERE, holder)
      expect(await called(id, stranger)).toEqual(['not_found', {}])
      expect(await called(id, newId('agt', now()))).toEqual(['not_found', {}])
      expect(await seenAt(id), holder).toBeNull()
    }
  })
})

it('the roles that note it are not told whether it was one, and others may not note', async () => {
  const { id, token } = await planted()
  for (const role of ['procura_front', 'procura_cdp'] satisfies Role[]) {
    const pool = world.db.pool(role, 1)
    const asked = async (shown: string) =>
      (await pool.query<object>(`select procura.canary_shown('main', $1)`, [sha256(shown)])).rows
    expect(await asked(token)).toEqual(await asked('anything'))
  }
  for (const role of ['procura_pdp', 'procura_reaper', 'procura_verify'] satisfies Role[]) {
    const at = { tenant: 'main', pool: world.db.pool(role, 1) }
    const denied = { code: 'unavailable', cause: { code: '42501' } }
    await expect(noteShown(at, token), role).rejects.toMatchObject(denied)
    await expect(noteCalled(at, id, WHO.agent), role).rejects.toMatchObject(denied)
  }
})

function wrongProof(token: string) {
  const htu = 'https://payments.example/refunds'
  return { ...argsIn(token), dpop: { proof: 'by another', htm: 'POST', htu } }
}
