/** Whose something is: only they, and operators, may stop it. */
import type { FreezeScope, StopKind } from '../domain/entry.ts'
import type { PersonId } from '../domain/ids.ts'
import type { ProvenPerson } from '../domain/person.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Rows } from './rows.ts'

const OWNER: Readonly<Record<StopKind, string>> = {
  credential: 'select sponsor from procura.lease where tenant = $1 and id = $2',
  delegation: 'select sponsor from procura.delegation where tenant = $1 and id = $2',
  consent: 'select sponsor from procura.consent where tenant = $1 and id = $2',
  instance: `select a.sponsor from procura.instance i
             join procura.agent a on a.tenant = $1 and a.id = i.agent
             where i.tenant = $1 and i.id = $2`,
  agent: 'select sponsor from procura.agent where tenant = $1 and id = $2',
  sponsor: 'select id as sponsor from procura.person where tenant = $1 and id = $2',
  root: 'select sponsor from procura.root where tenant = $1 and token_hash = $2',
  session: `select c.sponsor from procura.session s
            join procura.consent c on c.tenant = $1 and c.id = s.consent
            where s.tenant = $1 and s.jti = $2`,
}

/** @throws BrokerError `not_found`: another's thing looks like none at all; an operator sees all */
export async function ownerFor(
  rows: Rows,
  tenant: string,
  { person }: ProvenPerson,
  { kind, id }: { readonly kind: StopKind; readonly id: string },
): Promise<PersonId> {
  const [found] = await rows<{ sponsor: PersonId }>({
    name: `revocation_owner_${kind}`,
    text: OWNER[kind],
    values: [tenant, id],
  })
  const owner = found?.sponsor
  const isTheirs = owner === person.id && person.roles.includes('sponsor')
  if (owner === undefined || !(isTheirs || person.roles.includes('operator'))) {
    throw new BrokerError('not_found')
  }
  return owner
}

/** A sponsor for their own agents; the rest, and every lift, takes an operator. `null`: nobody's. */
export async function ownerOfScope(
  rows: Rows,
  tenant: string,
  person: ProvenPerson,
  { kind, id }: FreezeScope,
): Promise<PersonId | null> {
  if (kind === 'everything' || kind === 'tool' || id === null) return null
  return await ownerFor(rows, tenant, person, { kind, id })
}
