/** Who may answer: whoever every rule that asked names, and by default nobody about their own chain. */
import type { Asked } from '../domain/approval.ts'
import type { PersonId } from '../domain/ids.ts'
import type { Person } from '../domain/person.ts'

export type Standing = 'asked' | 'own_chain' | 'not_asked'

/** Whether this person is one of those asked about a chain of `sponsor`. */
export function standingOf(
  person: Pick<Person, 'id' | 'roles' | 'groups'>,
  { of }: Pick<Asked, 'of'>,
  sponsor: PersonId,
): Standing {
  const isOwn = person.id === sponsor
  if (isOwn && !of.includes('sponsor')) return 'own_chain'
  const isNamed = of.every((who) => (who === 'sponsor' ? isOwn : person.groups.includes(who)))
  return isNamed && person.roles.includes('approver') ? 'asked' : 'not_asked'
}
