import { beforeAll, describe, expect, it } from 'vitest'
import type { Agent } from '../../src/domain/agent.ts'
import { sha256 } from '../../src/domain/digest.ts'
import type { KeySet } from '../../src/domain/jws.ts'
import { aHolder, jwt } from './signing.ts'
import { aWorld, BODY, CI, ourKey, presented, refusalOf, type World } from './world.ts'

let world: World
let agent: Agent
let token: string
const holder = aHolder()
beforeAll(async () => {
  world = await aWorld()
  agent = await world.anAgent({ kind: 'oidc', issuer: CI, subject: 'repo' })
  world.aConsent(agent)
  token = (await world.session(holder, world.ciToken('repo'))).accessToken.reveal()
})
const said = (...args: Parameters<World['called']>) =>
  refusalOf(world.identity.authenticate(world.called(...args)))
const now = () => said(holder, token)

describe('an agent that calls', () => {
  it('is the run that the session was opened for', async () => {
    const proven = await world.identity.authenticate(world.called(holder, token))
    const [consent] = world.consents
    expect(proven.jkt).toBe(holder.jkt)
    expect(proven.session).toMatchObject({
      ...{ agent: agent.id, sponsor: agent.sponsor, consent: consent?.id, model: null },
      authority: { scopes: ['crm.*', 'payments.refund'], purpose: 'support' },
      tokenHash: sha256(token.slice(0, token.lastIndexOf('.'))),
    })
    const call = world.called(holder, token, { requestId: 'r1' })
    expect(world.identity.actOf(proven, call)).toEqual({
      ...{ requestId: 'r1', face: 'native' },
      actor: {
        ...{ kind: 'agent', id: agent.id, instance: proven.session.instance },
        ...{
          authentication: 'session_dpop',
          credentialHash: proven.session.tokenHash,
          jkt: holder.jkt,
        },
      },
    })
  })

  it('is the same on every replica', async () => {
    const replica = world.aReplica()
    expect(await refusalOf(replica.authenticate(world.called(holder, token)))).toBe('ok')
  })

  it('is nobody from the turn on in which the key of its session is taken out, also where it was known', async () => {
    const keys: [KeySet[0], ...KeySet[0][]] = [ourKey('one')]
    const replica = world.aReplica(keys)
    const own = aHolder()
    const { accessToken } = await world.session(own, world.ciToken('repo'), {}, { at: replica })
    const shown = () => refusalOf(replica.authenticate(world.called(own, accessToken.reveal())))
    expect(await shown()).toBe('ok')
    keys.unshift(ourKey('two'))
    expect(await shown(), 'it still verifies').toBe('ok')
    keys.pop()
    expect(await shown()).toBe('invalid_token: kid')
  })

  it('[DPP-01] [DPP-21] shows its session with a proof, never as a bearer token', async () => {
    expect(await said(holder, token, { dpop: null })).toBe('invalid_dpop_proof/dpop_missing')
    const authorization = `Bearer ${token}`
    expect(await said(holder, token, { authorization, dpop: null })).toBe(
      'invalid_dpop_proof/dpop_missing',
    )
    expect(await said(holder, token, { authorization })).toBe('invalid_token: no_session')
    expect(await now()).toBe('ok')
  })

  it('[AUT-20] [AUT-21] shows one session, in one place', async () => {
    for (const authorization of [
      null,
      '',
      token,
      `DPoP ${token}, DPoP ${token}`,
      `DPoP  ${token}`,
      'DPoP ',
    ]) {
      expect(await said(holder, token, { authorization })).toBe('invalid_token: no_session')
    }
    expect(await said(holder, token, { authorization: `dpop ${token}` })).toBe('ok')
  })

  it('[AUT-01] [AUT-15] [AUT-18] shows a session of ours and nothing like it', async () => {
    const { personToken, ciToken, proofFor } = world
    const [head = '', body = '', tail = ''] = token.split('.')
    const likes = [
      ...[personToken('anna'), ciToken('repo'), jwt(holder, { iss: 'x' })],
      ...[proofFor(holder, presented()), `${head}.${body}.`, `${head}.${body}.${tail}x`],
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`,
      ...[`${head}.${body}.${'A'.repeat(86)}`, `${token}.x`, 'x'.repeat(9000), 'x'.repeat(100_000)],
    ]
    for (const like of likes) expect(await said(holder, like)).toMatch(/^invalid_token: /)
    expect(await now()).toBe('ok')
  })

  it('[DPP-20] proves that it holds the key that the session is bound to', async () => {
    expect(await said(aHolder(), token)).toBe('invalid_dpop_proof/dpop_key_mismatch')
    expect(await now()).toBe('ok')
  })

  it('[DPP-13] [DPP-14] uses each proof once, over all replicas, also at the same moment', async () => {
    const call = world.called(holder, token)
    const replicas = [world.identity, world.aReplica()]
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        refusalOf((replicas[n % 2] ?? world.identity).authenticate(call)),
      ),
    )
    expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(1)
    expect(outcomes.filter((outcome) => outcome === 'invalid_dpop_proof/dpop_replay')).toHaveLength(
      49,
    )
    expect(await now()).toBe('ok')
  })

  it('is told nothing of what was read while a proof was used up that was used before', async () => {
    const call = world.called(holder, token)
    const read = (found: () => Promise<string>) => world.identity.authenticateWith(call, found)
    const { instance, reading } = await read(() => Promise.resolve('read'))
    expect(instance.session.tokenHash).not.toBe('')
    expect(await reading).toBe('read')
    const replay = 'invalid_dpop_proof/dpop_replay'
    expect(await refusalOf(read(() => Promise.resolve('read')))).toBe(replay)
    // What could not be read meanwhile is not told instead, and ends nothing.
    expect(await refusalOf(read(() => Promise.reject(new Error('nobody waits'))))).toBe(replay)
    // Nobody is answered while something is read for them.
    let answered = ''
    let end = (_: string): void => undefined
    const slow = new Promise<string>((resolve) => (end = resolve))
    const refused = refusalOf(read(() => slow)).then((told) => (answered = told))
    // Two others are let in, one after the other: it would have been refused by then.
    expect([await now(), await now()]).toEqual(['ok', 'ok'])
    expect(answered).toBe('')
    end('read')
    expect(await refused).toBe(replay)
  })

  it('reads nothing for whoever has no proof', async () => {
    const asked: string[] = []
    const read = ({ session }: { session: { agent: string } }) => {
      asked.push(session.agent)
      return Promise.resolve()
    }
    const thief = world.called(aHolder(), token)
    expect(await refusalOf(world.identity.authenticateWith(thief, read))).toBe(
      'invalid_dpop_proof/dpop_key_mismatch',
    )
    expect(asked).toEqual([])
  })

  it('[DPP-15] cannot use a proof again while a skewed clock would still take it', async () => {
    const early = world.called(holder, token, {}, { claims: { iat: world.seconds() + 10 } })
    expect(await refusalOf(world.identity.authenticate(early))).toBe('ok')
    world.time.offsetMs += 71_000
    await world.identity.prune()
    // Its nonce is the previous one at most; only the store refuses.
    expect(await refusalOf(world.identity.authenticate(early))).toBe(
      'invalid_dpop_proof/dpop_replay',
    )
    world.time.offsetMs -= 71_000
    expect(await now()).toBe('ok')
  })

  it('[DPP-17] is not shut out by a stranger who used its proof id first', async () => {
    const thief = aHolder()
    const claims = { jti: 'the-same-id' }
    const theirs = (await world.session(thief, world.ciToken('repo'))).accessToken.reveal()
    expect(await said(thief, theirs, {}, { claims })).toBe('ok')
    expect(await said(holder, token, {}, { claims })).toBe('ok')
    expect(await said(holder, token, {}, { claims })).toBe('invalid_dpop_proof/dpop_replay')
  })

  it('[DPP-22] is given a nonce and comes again with it; the first proof was not used up', async () => {
    const claims = { jti: 'asked-without', nonce: undefined }
    expect(await said(holder, token, {}, { claims })).toBe('use_dpop_nonce: dpop_nonce')
    const nonce = world.identity.currentNonce()
    expect(await said(holder, token, {}, { claims: { ...claims, nonce } })).toBe('ok')
  })

  it('[DPP-23] proves the body that it sends', async () => {
    const captured = world.called(holder, token)
    const changed = {
      ...captured,
      body: Buffer.from('{"tool":"payments.refund","arguments":{"amount":1}}'),
    }
    expect(await refusalOf(world.identity.authenticate(changed))).toBe(
      'invalid_dpop_proof/dpop_body_sha256',
    )
    const unbound = world.called(holder, token, {}, { claims: { body_sha256: undefined } })
    expect(await refusalOf(world.identity.authenticate(unbound))).toBe(
      'invalid_dpop_proof/dpop_body_sha256',
    )
    expect(await refusalOf(world.identity.authenticate(captured))).toBe('ok')
  })

  it('[DPP-25] is not let in when the store of used proofs cannot be asked', async () => {
    const elsewhere = await aWorld()
    const replica = elsewhere.aReplica()
    const owner = await elsewhere.anAgent({ kind: 'oidc', issuer: CI, subject: 'repo' })
    elsewhere.aConsent(owner)
    const { accessToken } = await elsewhere.session(holder, elsewhere.ciToken('repo'))
    const call = elsewhere.called(holder, accessToken.reveal())
    await elsewhere.db.drop()
    await expect(replica.authenticate(call)).rejects.toMatchObject({
      code: 'unavailable',
      shown: { evaluation: { status: 'not_evaluated', unavailableInput: 'replay_store' } },
    })
  })

  it('is let in until the session ends, to the second, though it was verified before', async () => {
    const brief = world.ciToken('repo', { exp: world.seconds() + 30 })
    const { accessToken } = await world.session(holder, brief)
    expect(await said(holder, accessToken.reveal())).toBe('ok')
    world.time.offsetMs += 31_000
    expect(await said(holder, accessToken.reveal())).toBe('invalid_token: expired')
    world.time.offsetMs -= 31_000
  })

  it('[AUT-26] is never mistaken for another, however many come at once', async () => {
    const others = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const by = aHolder()
        const opened = await world.session(by, world.ciToken('repo'))
        return { by, session: opened.accessToken.reveal(), instance: opened.instance }
      }),
    )
    const seen = await Promise.all(
      Array.from({ length: 400 }, async (_, n) => {
        const other = others[n % 4]
        if (other === undefined) return false
        const { session } = await world.identity.authenticate(world.called(other.by, other.session))
        return session.instance === other.instance
      }),
    )
    expect(seen.every(Boolean)).toBe(true)
  })

  it('names its request by caller, route, key and body', async () => {
    const { identity } = world
    const proven = await identity.authenticate(world.called(holder, token))
    const keyOf = (idempotencyKey: string | null, body: Uint8Array = BODY) =>
      identity.requestKey(proven, presented({ idempotencyKey, body }))
    expect(keyOf(null)).toBeNull()
    const key = keyOf('my-key-0001')
    expect(key).toMatchObject({
      ...{ caller: proven.session.instance, route: 'POST /v1/credentials', key: 'my-key-0001' },
    })
    expect(keyOf('"my-key-0001"')).toEqual(key)
    const reordered = Buffer.from('{ "arguments": {}, "tool": "payments.refund" }')
    expect(keyOf('my-key-0001', reordered)).toEqual(key)
    expect(keyOf('my-key-0001', Buffer.from('{}'))?.fingerprint).not.toBe(key?.fingerprint)
    for (const wrong of ['short', 'x'.repeat(129), 'with space', '"unbalanced-key', 'käse-käse']) {
      expect(() => keyOf(wrong)).toThrow('invalid_idempotency_key')
    }
  })
})
