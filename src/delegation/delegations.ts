/** On whose behalf a sub-agent acts: roots given out, hops registered, and the chain behind a session. */
import type { Pool } from 'pg'
import { rootKeysIn } from '../chain/keys.ts'
import type { Authority } from '../domain/authority.ts'
import type { Delegated } from '../domain/chain.ts'
import type { LedgerEntry } from '../domain/entry.ts'
import type { ConsentId, DelegationId, PersonId } from '../domain/ids.ts'
import type { ProvenInstance } from '../domain/instance.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Deciding, Ledger } from '../domain/ports.ts'
import type { Act, RequestKey } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import { createBehind } from './behind.ts'
import { createLooking, type Looked, type Looking, type LookingOptions } from './looking.ts'
import { refuseStoppedSession } from './frozen.ts'
import { admit, type RegisteringOptions } from './registering.ts'
import { openRoot, type Root, type RootsOptions, type RootWanted } from './roots.ts'
import { showChain, type ShownOptions } from './shown.ts'

export interface DelegationsOptions
  extends
    Omit<ShownOptions, 'pool' | 'rootKeys'>,
    RegisteringOptions,
    RootsOptions,
    LookingOptions {
  readonly pools: { readonly front: Pool; readonly pdp: Pool }
  /** Of the front. */
  readonly ledger: Ledger
}

/** A chain that was verified for its holder, ready to be put on record with the session it is for. */
export interface Presented {
  readonly consent: ConsentId
  readonly sponsor: PersonId
  /** Of the leaf. */
  readonly depth: number
  /** What is left there. */
  readonly effective: Authority
  readonly expiresAt: Date
  /** Registers what is not on record yet. @throws BrokerError `chain_invalid` */
  admit(
    tx: Tx,
    act: Act,
  ): Promise<{ readonly delegated: Delegated; readonly entries: readonly LedgerEntry[] }>
}

export interface Delegations extends Looking {
  /** @throws BrokerError as `openRoot` */
  openRoot(tx: Tx, wanted: RootWanted, act: Act): Promise<Root>
  /**
   * A chain as the one shows it that received its leaf.
   *
   * @throws BrokerError `chain_invalid`, `payload_too_large`, `unavailable`
   */
  present(chain: string, holder: { agent: string; jkt: string }): Promise<Presented>
  /**
   * Puts the leaf of a chain on record, for the instance that signed it. The same one again:
   * `isRepeat`; the same key again: `isReplay`, with what was answered then.
   *
   * @throws BrokerError `chain_invalid`, `payload_too_large`, `unavailable`
   */
  register(
    instance: ProvenInstance,
    chain: string,
    by: { readonly act: Act; readonly key: RequestKey | null },
  ): Promise<Looked & { readonly isReplay: boolean; readonly isRepeat: boolean }>
  /** What was registered of the hop that a session of ours names; `null` where it names none. */
  readonly behind: Deciding['delegations']['behind']
}

export function createDelegations(options: DelegationsOptions): Delegations {
  const { tenant, pools, ledger, signer } = options
  const showing = { ...options, pool: pools.front, rootKeys: rootKeysIn(signer.keys) }

  const looking = createLooking(options)

  return {
    openRoot: (tx, wanted, act) => openRoot(options, tx, wanted, act),

    async present(chain, { agent, jkt }) {
      const shown = await showChain(showing, chain, { holder: { clientId: agent, jkt } })
      const { verified, leaf } = shown
      return {
        ...{ consent: verified.consentId, sponsor: verified.sponsor },
        depth: leaf.depth,
        ...{ effective: leaf.effective, expiresAt: new Date(leaf.exp * 1000) },
        async admit(tx, act) {
          const { leaf: delegated, entries } = await admit(options, tx, shown, act)
          return { delegated, entries }
        },
      }
    },

    async register(instance, chain, { act, key }) {
      const earlier = await ledger.find(key)
      if (earlier !== null) {
        const { id, is_repeat: isRepeat } = earlier as unknown as Kept
        return { ...(await looking.find(instance, id)), isReplay: true, isRepeat }
      }
      const shown = await showChain(showing, chain, { signer: instance.jkt })
      const { value } = await ledger.record(key, async (tx) => {
        await refuseStoppedSession(tx, tenant, instance.session)
        const { leaf, entries } = await admit(options, tx, shown, act)
        const isRepeat = entries.length === 0
        const answer: Kept = { id: leaf.id, is_repeat: isRepeat }
        return {
          entries,
          value: { ...leaf, status: 'active', isReplay: false, isRepeat } as const,
          answer,
        }
      })
      return value
    },

    behind: createBehind({ tenant, pool: pools.pdp }),
    ...looking,
  }
}

/** What is kept under a key. */
interface Kept extends JsonObject {
  readonly id: DelegationId
  readonly is_repeat: boolean
}
