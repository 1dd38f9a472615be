/** Approvals with somebody to ask: a sponsor who is in the group herself, and one who is not. */
import type { Chain } from '../../src/domain/chain.ts'
import type { ApprovalId } from '../../src/domain/ids.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import type { ProvenPerson } from '../../src/domain/person.ts'
import type { TestDatabase } from '../pg/database.ts'
import {
  aCall,
  aChain,
  aDecision,
  anAgent,
  aPerson,
  ask,
  by,
  parts,
  policies,
  settle,
  theTerms,
} from './deciding.ts'

export async function anOffice(db: TestDatabase) {
  const house = parts(db)
  await policies(db)
  const groups = ['dba']
  const alice = await aPerson(db, { roles: ['sponsor', 'approver'], groups })
  const dba = await aPerson(db, { roles: ['approver'], groups })

  return {
    ...{ db, house, replica: parts(db), alice, dba },

    /** A new agent of hers, under a consent of its own. */
    async chain(): Promise<Chain> {
      const agent = await anAgent(db, alice.person.id)
      const { consent } = await house.consents.give(alice, theTerms(agent), by())
      return aChain(await house.consents.standing(consent.id, agent))
    },

    async asked(
      chain: Chain,
      args: JsonObject = { amount: 1 },
      of?: string[],
      level?: 'L2' | 'L3',
    ): Promise<Asked> {
      const call = aCall(args)
      const decision = aDecision(chain, { answer: ask(chain, of, level), call })
      const settled = await settle(house, decision, 'x')
      if (settled.asked === null) throw new Error('not asked')
      return { id: settled.asked.id, binding: settled.decision.bindingHash }
    },

    decide(person: ProvenPerson, { id, binding }: Asked, verdict: Said = {}, act = by()) {
      const said = {
        decision: 'approve',
        reason: 'fine by me',
        approvedUntil: null,
        ...verdict,
      } as const
      return house.approvals.decide(person, id, { ...said, bindingHash: binding }, act)
    },

    async leaves(type: string) {
      return await db.query<{ entry: string }>(
        'select entry from ledger.leaf where event_type = $1 order by index',
        [type],
      )
    },
  }
}
export type Office = Awaited<ReturnType<typeof anOffice>>
export interface Asked {
  readonly id: ApprovalId
  readonly binding: string
}
export interface Said {
  readonly decision?: 'approve' | 'deny'
  readonly approvedUntil?: Date
}
