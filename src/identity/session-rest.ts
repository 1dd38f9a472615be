/** What a session rests on: a consent of its agent, or the chain that was handed to it. */
import type { Authority } from '../domain/authority.ts'
import type { Delegated } from '../domain/chain.ts'
import { authorityOf, type Consent } from '../domain/consent.ts'
import type { LedgerEntry } from '../domain/entry.ts'
import type { AgentId, ConsentId, InstanceId, PersonId } from '../domain/ids.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Act } from '../domain/request.ts'
import type { Secret } from '../domain/secret.ts'
import type { Tx } from '../domain/tx.ts'
import { attest, type Attested, type AttestOptions } from './assertions.ts'
import { chosen } from './session-terms.ts'
import { type Form, parameter, readExchange, type Wanted } from './token-form.ts'

export interface RestOptions extends AttestOptions {
  /** The consent of an agent that is named, whatever its status; else two that are active, at most. */
  readonly consentsOf: (agent: AgentId, named: ConsentId | null) => Promise<readonly Consent[]>
  readonly chains: Chains
}

export interface Chains {
  /** The first token of a chain, for an instance whose consent allows hops. */
  openRoot(
    tx: Tx,
    wanted: {
      readonly agent: AgentId
      readonly instance: InstanceId
      readonly jkt: string
      readonly consent: Consent
      readonly authority: Authority
    },
    act: Act,
  ): Promise<{ token: Secret; expiresInSeconds: number; entry: LedgerEntry }>
  /** A chain as its last holder shows it. @throws BrokerError `chain_invalid` */
  present(chain: string, holder: { agent: string; jkt: string }): Promise<Shown>
}

/** What a session rests on: a consent, or the hop that its agent received. */
interface Rest {
  readonly consent: ConsentId
  readonly sponsor: PersonId
  readonly effective: Authority
  readonly expiresAt: Date
}
interface Shown extends Rest {
  /** Of the leaf. */
  readonly depth: number
  /** Puts what is not on record there, in the transaction of the session. */
  admit(tx: Tx, act: Act): Promise<{ delegated: Delegated; entries: readonly LedgerEntry[] }>
}

export type Under = Rest & ({ readonly given: Consent } | Pick<Shown, 'admit'>)

export async function underConsent(
  { consentsOf }: RestOptions,
  { agent }: Attested,
  wanted: Wanted,
): Promise<Under> {
  const given = chosen(await consentsOf(agent.id, wanted.consent ?? null), wanted.consent)
  const { id: consent, sponsor, terms } = given
  return { consent, sponsor, effective: authorityOf(terms), expiresAt: terms.expiresAt, given }
}

/** The client that authenticated is the actor: whoever else is named must be the same. */
export async function underChain(
  options: RestOptions,
  form: Form,
  { attested, jkt }: { attested: Attested; jkt: string },
): Promise<Under> {
  const { chain, actor } = readExchange(form)
  const shown = await options.chains.present(chain, { agent: attested.agent.id, jkt })
  if (actor === undefined || actor === parameter(form, 'client_assertion')) return shown
  const type = parameter(form, 'client_assertion_type')
  const other = await attest(options, { type, assertion: actor }, jkt).catch(refusedActor)
  if (other?.agent.id === attested.agent.id) return shown
  const detail = 'The actor_token names another than the client that authenticated'
  throw new BrokerError('chain_invalid', {
    shown: { outcome: 'holder_binding_failed', hop: shown.depth, detail },
  })
}

function refusedActor(error: unknown): null {
  if (error instanceof BrokerError && error.code === 'invalid_client') return null
  throw error
}
