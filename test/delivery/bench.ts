/** Intents, decisions and keys as the delivering side gets them: right, or wrong in one way. */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { downstreamName } from '../../src/delivery/claims.ts'
import type { ConnectorsOptions } from '../../src/delivery/connectors.ts'
import { digestOf, sha256 } from '../../src/domain/digest.ts'
import type { SignedDecision } from '../../src/domain/decision.ts'
import { newId } from '../../src/domain/ids.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { type Signer, signingKey, signToken } from '../../src/domain/jws.ts'
import type { Intent } from '../../src/domain/lease.ts'
import type { Presented } from '../../src/domain/request.ts'

export const ISSUER = 'https://broker.example'
export const AUDIENCE = 'https://payments.example'
export const ARGS = sha256('args')

export function aSigner(): Signer & { readonly privateKey: KeyObject } {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const keys = [signingKey({ kid: 'k-1', alg: 'ES256', ...pair })] as const
  // For whoever makes a certificate of it.
  return { issuer: ISSUER, keys, privateKey: pair.privateKey }
}

/** The key of an agent's instance, and a request that carries a proof by it. */
export function aCollector() {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' }) as Record<string, string>
  const jwk = { kty, crv, x, y } as JsonObject
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk }
  const presented: Presented = {
    ...{ method: 'POST', path: '/v1/credentials', authorization: null, idempotencyKey: null },
    dpop: `${Buffer.from(JSON.stringify(header)).toString('base64url')}.e30.AA`,
    ...{ body: new Uint8Array(), requestId: 'req-1', face: 'native' },
    origin: { address: '127.0.0.1', userAgent: null },
  }
  return { jkt: digestOf(jwk), presented }
}

export const now = () => new Date()
const inSeconds = (time: Date) => Math.floor(time.getTime() / 1000)

/** Who they all are, in the tests of one file. */
export const WHO = {
  sponsor: newId('spn', now()),
  agent: newId('agt', now()),
  instance: newId('ins', now()),
  consent: newId('con', now()),
}

export async function aDecision(
  signer: Signer,
  jkt: string,
  of: JsonObject = {},
): Promise<SignedDecision> {
  return (await signToken('decision', decisionClaims(jkt, of), signer)) as SignedDecision
}

export function decisionClaims(jkt: string, of: JsonObject = {}): JsonObject {
  const iat = inSeconds(now())
  const { target = 'payments', connector = 'jwt', permissions, ...more } = of
  return {
    ...{ iat, exp: iat + 60, jti: newId('dec', now()), sub: WHO.sponsor, client_id: WHO.agent },
    ...{ instance_id: WHO.instance, consent_id: WHO.consent, cnf: { jkt }, chain: null },
    act: { iss: ISSUER, sub: WHO.agent, sub_profile: 'ai_agent' },
    ...{ purpose: 'support.refunds', tool: 'payments.refund', tool_hash: sha256('tool') },
    ...{ target, connector },
    grant: { permissions: permissions ?? { audience: AUDIENCE }, target, connector },
    ...{ args_hash: ARGS, request_hash: sha256('request'), ttl_seconds: 60, level: 'L1' },
    ...{ approvals: [], conditions: [], credential_id: newId('crd', now()) },
    sender_constraint: connector === 'postgres' ? 'none' : 'dpop',
    ...{ revocation_epoch: 0, policy_epoch: 1, policy_set_hash: sha256('set') },
    ...{ schema_hash: sha256('schema'), facts_hash: sha256('facts'), context_hash: sha256('ctx') },
    ...more,
  }
}

export function anIntent(of: Partial<Intent> = {}): Intent {
  const lease = newId('crd', now())
  const issuedAt = now()
  return {
    ...{ lease, decision: newId('dec', now()), downstreamName: downstreamName(lease) },
    ...{ connector: 'jwt', target: 'payments', permissions: { audience: AUDIENCE } },
    ...{ grantHash: sha256('grant'), ttlSeconds: 60, issuedAt },
    expiresAt: new Date((inSeconds(issuedAt) + 60) * 1000),
    ...{ senderConstraint: 'dpop', level: 'L1', tool: 'payments.refund', toolHash: sha256('tool') },
    ...{ argsHash: ARGS, requestHash: sha256('request'), purpose: 'support.refunds', ...WHO },
    delegation: null,
    ...{ jkt: sha256('jkt'), act: { sub: WHO.agent }, chain: null, revocationEpoch: 0 },
    ...{ requestId: 'req-1', eventId: newId('evt', now()) },
    ...of,
  }
}

/** Waits for a condition, for five seconds at most. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('it did not come true')
    await pause(20)
  }
}

/** What connectors are given of the house, where there is one broker and nobody to wait for. */
export const HOUSE: Pick<ConnectorsOptions, 'clock' | 'exclusively'> = {
  clock: now,
  exclusively: (_name, work) => work({ signal: AbortSignal.timeout(4000), goOn: () => undefined }),
}

export const aKey = () => randomBytes(32).toString('base64url')
