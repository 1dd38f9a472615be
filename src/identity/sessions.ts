/** A client assertion and a key → a session under a consent, on record before it is handed out. */
import { randomUUID } from 'node:crypto'
import type { Model } from '../domain/agent.ts'
import type { Authority } from '../domain/authority.ts'
import { authorityHash } from '../domain/authority-hash.ts'
import type { Consent } from '../domain/consent.ts'
import type { Constraint } from '../domain/constraint.ts'
import type { LedgerEntry } from '../domain/entry.ts'
import type { AgentId, ConsentId, InstanceId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import { type Signer, signToken } from '../domain/jws.ts'
import type { Ledger } from '../domain/ports.ts'
import type { Presented } from '../domain/request.ts'
import { Secret } from '../domain/secret.ts'
import type { Tx } from '../domain/tx.ts'
import { attest, type Attested, type AttestOptions } from './assertions.ts'
import { instanceOf, refuseStopped } from './instances.ts'
import { oauthError } from './refusals.ts'
import { chosen, narrowed, ownBounds } from './session-terms.ts'
import { SKEW_SECONDS } from './third-party.ts'
import { type Form, parameter, readWanted, requireGrantType } from './token-form.ts'

const LIFE_SECONDS = 600

export interface SessionsOptions extends AttestOptions {
  readonly tenant: string
  readonly ledger: Ledger
  readonly signer: Signer
  /** All consents of an agent, whatever their status. */
  readonly consentsOf: (agent: AgentId) => Promise<readonly Consent[]>
  /** Opens the accounts of a session whose cumulative bounds are tighter than its consent's. */
  readonly openAccounts: (tx: Tx, account: string, bounds: readonly Constraint[]) => Promise<void>
  /** Checks the proof of the presented request and uses it up; the key it was made with. */
  readonly prove: (presented: Presented) => Promise<string>
}

/** What the token endpoint answers. Of roots there are none yet, whoever asks for one. */
export interface SessionAnswer {
  readonly accessToken: Secret
  readonly expiresInSeconds: number
  readonly authority: Authority
  readonly consent: ConsentId
  readonly instance: InstanceId
}

export interface Sessions {
  /** @throws BrokerError with an OAuth error in `shown.oauth`, or `unavailable` */
  openSession(form: Form, presented: Presented): Promise<SessionAnswer>
}

export function createSessions(options: SessionsOptions): Sessions {
  return {
    async openSession(form, presented) {
      requireGrantType(form)

      // Whose run is it, and which key does it hold?
      const jkt = await options.prove(presented)
      const type = parameter(form, 'client_assertion_type')
      const assertion = parameter(form, 'client_assertion')
      const attested = await attest(options, { type, assertion }, jkt)
      const { id, sponsor } = attested.agent
      presented.recognised?.({ kind: 'agent', id, sponsor })

      // Under which consent, and how much of it?
      const { client, consent: named, ...wanted } = readWanted(form, options.issuer)
      if (client !== undefined && client !== attested.agent.id) throw oauthError('invalid_client')
      const consent = chosen(await options.consentsOf(attested.agent.id), named)
      const authority = narrowed(consent, { client, consent: named, ...wanted })
      const asked = { attested, jkt, consent, authority, model: wanted.model }

      // On record first; only then is it signed.
      const { value } = await options.ledger.record(null, async (tx) => {
        const opened = await open(tx, options, asked)
        const entry = entryOf(asked, opened, presented)
        return { entries: [entry], value: opened, answer: null }
      })
      return {
        accessToken: new Secret(
          signToken('session', claimsOf(options, asked, value), options.signer),
        ),
        expiresInSeconds: value.exp - value.iat,
        ...{ authority, consent: consent.id, instance: value.instance },
      }
    },
  }
}

interface Asked {
  readonly attested: Attested
  readonly jkt: string
  readonly consent: Consent
  readonly authority: Authority
  readonly model: Model | null
}
interface Opened {
  readonly instance: InstanceId
  readonly jti: string
  /** Seconds. */
  readonly iat: number
  readonly exp: number
}

async function open(tx: Tx, options: SessionsOptions, asked: Asked): Promise<Opened> {
  const { tenant, openAccounts } = options
  const { attested, consent, jkt, authority } = asked
  const { agent } = attested
  const instance = await instanceOf(tx, tenant, { agent: agent.id, jkt })
  await refuseStopped(tx, tenant, { agent, instance, consent })
  const iat = Math.floor(tx.now.getTime() / 1000)
  const opened = { instance, jti: randomUUID(), iat, exp: iat + lifeOf(asked, iat) }
  const bounds = ownBounds(consent, authority)
  if (bounds.length > 0) await openAccounts(tx, opened.jti, bounds)
  return opened
}

/** Seconds: nothing outlives what it rests on. */
function lifeOf({ attested, consent }: Asked, iat: number): number {
  const consentLeft = Math.floor(consent.terms.expiresAt.getTime() / 1000) - iat
  if (consentLeft < 1) throw oauthError('invalid_grant', 'consent_inactive')
  // An assertion that only our allowance for its clock keeps alive lends no more than that allowance.
  const shown = Math.floor(attested.expiresAt.getTime() / 1000) - iat
  const shownLeft = shown >= 1 ? shown : shown + SKEW_SECONDS
  if (shownLeft < 1) throw oauthError('invalid_client')
  return Math.min(LIFE_SECONDS, consentLeft, shownLeft)
}

function claimsOf({ issuer }: SessionsOptions, asked: Asked, opened: Opened): JsonObject {
  const { attested, consent, authority, jkt, model } = asked
  const { scopes, constraints, purpose } = authority
  const bounds = constraints.map((bound) => ({ ...bound })) as JsonObject[]
  const { instance, jti, iat, exp } = opened
  return {
    ...{ sub: consent.sponsor, client_id: attested.agent.id, iat, exp, jti, cnf: { jkt } },
    act: { iss: issuer, sub: attested.agent.id, sub_profile: 'ai_agent' },
    ...{ purpose, consent_id: consent.id, instance_id: instance },
    authorization_details: [{ type: 'agent_delegation', scopes: [...scopes], constraints: bounds }],
    ...(model && { model: { ...model } }),
  }
}

function entryOf(asked: Asked, opened: Opened, { requestId, face }: Presented): LedgerEntry {
  const { attested, consent, authority, jkt, model } = asked
  const { agent, authentication, tokenHash: credentialHash } = attested
  const { instance } = opened
  const actor = {
    kind: 'agent',
    id: agent.id,
    instance,
    authentication,
    credentialHash,
    jkt,
  } as const
  return {
    type: 'session_issued',
    act: { requestId, face, actor },
    ...{ agent: agent.id, instance, sponsor: consent.sponsor, consent: consent.id },
    ...{ purpose: authority.purpose, jkt, model, authorityHash: authorityHash(authority) },
    expiresAt: new Date(opened.exp * 1000),
  }
}
