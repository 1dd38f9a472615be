/** A client assertion and a key → a session, under a consent or a hop, on record before it is handed out. */
import { randomUUID } from 'node:crypto'
import { tighterTotals } from '../domain/accounts.ts'
import type { Model } from '../domain/agent.ts'
import type { Authority } from '../domain/authority.ts'
import { type Hop, leafOf, type Path } from '../domain/chain.ts'
import type { Constraint } from '../domain/constraint.ts'
import type { LedgerEntry } from '../domain/entry.ts'
import type { ConsentId, DelegationId, InstanceId } from '../domain/ids.ts'
import { type Signer, signToken } from '../domain/jws.ts'
import type { Ledger } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Act, Presented } from '../domain/request.ts'
import { Secret } from '../domain/secret.ts'
import type { Tx } from '../domain/tx.ts'
import { attest, type Attested } from './assertions.ts'
import { instanceOf, refuseStopped, tellModel } from './instances.ts'
import { keepSession } from './kept-sessions.ts'
import { oauthError } from './refusals.ts'
import { claimsOf } from './session-claims.ts'
import { type RestOptions, type Under, underChain, underConsent } from './session-rest.ts'
import { narrowed } from './session-terms.ts'
import { SKEW_SECONDS } from './third-party.ts'
import { type Form, grantIn, parameter, readWanted, type Wanted } from './token-form.ts'

const LIFE_SECONDS = 600

export interface SessionsOptions extends RestOptions {
  readonly tenant: string
  readonly ledger: Ledger
  readonly signer: Signer
  /** Opens the accounts of a session whose cumulative bounds are tighter than what it rests on. */
  readonly openAccounts: (tx: Tx, account: string, bounds: readonly Constraint[]) => Promise<void>
  /** Checks the proof of the presented request and uses it up; the key it was made with. */
  readonly prove: (presented: Presented) => Promise<string>
}

export interface SessionAnswer {
  readonly accessToken: Secret
  readonly expiresInSeconds: number
  readonly authority: Authority
  readonly consent: ConsentId
  readonly instance: InstanceId
  /** `null` at depth 0. */
  readonly delegation: DelegationId | null
  /** `null` unless asked for, and allowed. */
  readonly root: { readonly token: Secret; readonly expiresInSeconds: number } | null
}

export interface Sessions {
  /** @throws BrokerError with an OAuth error in `shown.oauth`, `chain_invalid`, or `unavailable` */
  openSession(form: Form, presented: Presented): Promise<SessionAnswer>
}

export function createSessions(options: SessionsOptions): Sessions {
  const { issuer, signer } = options
  return {
    async openSession(form, presented) {
      const grant = grantIn(form)

      // Whose run is it, and which key does it hold?
      const jkt = await options.prove(presented)
      const type = parameter(form, 'client_assertion_type')
      const assertion = parameter(form, 'client_assertion')
      const attested = await attest(options, { type, assertion }, jkt)
      const { id, sponsor } = attested.agent
      presented.recognised?.({ kind: 'agent', id, sponsor })
      const asked = readWanted(form, issuer)
      if ((asked.client ?? id) !== id) throw oauthError('invalid_client')
      const wanted = { ...asked, model: modelBehind(attested, asked) }

      // On whose behalf, and how much of it?
      const rest =
        grant === 'client_credentials'
          ? await underConsent(options, attested, wanted)
          : await underChain(options, form, { attested, jkt })
      const authority = narrowed(rest.effective, wanted)
      const opening = { attested, jkt, wanted, authority, rest }

      // On record first; only then is it signed.
      const { value } = await options.ledger.record(null, async (tx) => {
        const { entries, ...opened } = await open(tx, options, opening, presented)
        await keepSession(tx, options.tenant, rest.consent, opened)
        return { entries, value: opened, answer: null }
      })
      const { path, root, iat, exp } = value
      const { consent, sponsor: principal } = rest
      const whose = { sponsor: principal, consent, agent: id, jkt, model: wanted.model }
      const claims = claimsOf(issuer, { ...value, ...whose })
      return {
        accessToken: new Secret(await signToken('session', claims, signer)),
        expiresInSeconds: exp - iat,
        ...{ authority, consent, instance: value.instance, root },
        delegation: leafOf(path).delegation,
      }
    },
  }
}

interface Asked {
  readonly attested: Attested
  readonly jkt: string
  readonly wanted: Wanted
  readonly authority: Authority
  readonly rest: Under
}
interface Opened {
  readonly instance: InstanceId
  readonly jti: string
  /** Seconds. */
  readonly iat: number
  readonly exp: number
  readonly path: Path
  readonly root: SessionAnswer['root']
}

async function open(
  tx: Tx,
  options: SessionsOptions,
  asked: Asked,
  { requestId, face }: Presented,
): Promise<Opened & { entries: LedgerEntry[] }> {
  const { tenant, openAccounts, chains } = options
  const { attested, rest, jkt, authority, wanted } = asked
  const { agent, authentication, tokenHash: credentialHash } = attested
  const instance = await instanceOf(tx, tenant, { agent: agent.id, jkt })
  const actor = {
    kind: 'agent',
    id: agent.id,
    instance,
    authentication,
    credentialHash,
    jkt,
  } as const
  const act: Act = { requestId, face, actor }
  // Of a chain it is told which hop does not hold; only then what else does not.
  const admitted = 'admit' in rest ? await rest.admit(tx, act) : null
  await refuseStopped(tx, tenant, { agent, instance, ...rest })
  await tellModel(tx, tenant, instance, wanted.model)

  const iat = Math.floor(tx.now.getTime() / 1000)
  const opened = { instance, jti: randomUUID(), iat, exp: iat + lifeOf(asked, iat) }
  const bounds = tighterTotals(authority, rest.effective)
  if (bounds.length > 0) await openAccounts(tx, opened.jti, bounds)

  const of = { sponsor: rest.sponsor, consent: rest.consent }
  if (admitted !== null) {
    const { delegated, entries } = admitted
    const path = {
      hops: withRun(delegated.hops, { instance, model: wanted.model }),
      effective: authority,
    }
    return {
      ...opened,
      path,
      root: null,
      entries: [...entries, { type: 'session_issued', act, ...of, path }],
    }
  }
  const path = { hops: [hopOf(asked, opened)] as const, effective: authority }
  const issued: LedgerEntry = { type: 'session_issued', act, ...of, path }
  if (!('given' in rest) || !wanted.root || rest.given.terms.maxHops === 0) {
    return { ...opened, path, root: null, entries: [issued] }
  }
  const about = { agent: agent.id, instance, jkt, consent: rest.given, authority }
  const { entry, ...root } = await chains.openRoot(tx, about, act)
  return { ...opened, path, root, entries: [issued, entry] }
}

/** What its platform says goes before what it says itself, which must not be something else. */
function modelBehind({ model: attested }: Attested, { model: claimed }: Wanted): Model | null {
  if (attested === null || claimed === null) return attested ?? claimed
  if (attested.name === claimed.name && attested.tier === claimed.tier) return attested
  const detail = 'The model that is claimed is not the one that the assertion attests'
  throw oauthError('invalid_request', 'invalid_request', { detail })
}

/** Whoever acts straight under a consent: there is no token of a chain. */
function hopOf(
  { attested, jkt, wanted, authority }: Asked,
  opened: Omit<Opened, 'path' | 'root'>,
): Hop {
  return {
    ...{ depth: 0, agent: attested.agent.id, instance: opened.instance, jkt },
    ...{ tokenHash: null, delegation: null, purpose: authority.purpose },
    ...{ expiresAt: new Date(opened.exp * 1000), model: wanted.model },
  }
}

/** The last hop is this run's. */
function withRun(hops: Path['hops'], run: Pick<Hop, 'instance' | 'model'>): Path['hops'] {
  const last = hops.length - 1
  const [root, ...below] = hops.map((hop, at) => (at === last ? { ...hop, ...run } : hop))
  if (root === undefined) throw new TypeError('a chain without a root')
  return [root, ...below]
}

/** Seconds: nothing outlives what it rests on. */
function lifeOf({ attested, rest }: Asked, iat: number): number {
  const restLeft = Math.floor(rest.expiresAt.getTime() / 1000) - iat
  if (restLeft < 1 && 'admit' in rest) {
    throw new BrokerError('chain_invalid', { shown: { outcome: 'expired', field: 'exp' } })
  }
  if (restLeft < 1) throw oauthError('invalid_grant', 'consent_inactive')
  // An assertion that only our allowance for its clock keeps alive lends no more than that allowance.
  const shown = Math.floor(attested.expiresAt.getTime() / 1000) - iat
  const shownLeft = shown >= 1 ? shown : shown + SKEW_SECONDS
  if (shownLeft < 1) throw oauthError('invalid_client')
  return Math.min(LIFE_SECONDS, restLeft, shownLeft)
}
