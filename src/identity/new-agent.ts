/** What somebody wants to register, checked: a name people can read, a workload we can recognise. */
import type { Agent, Workload } from '../domain/agent.ts'
import { JwsError } from '../domain/jws.ts'
import { BrokerError } from '../domain/problems.ts'
import { readInstanceKey } from './proof-key.ts'
import { trustDomainOf } from './spiffe.ts'

export interface NewAgent {
  readonly name: string
  readonly workload: Workload
  readonly description?: string | null | undefined
}

/** Whether a workload of this issuer, or trust domain, could ever prove itself here. */
export type WorkloadCheck = (workload: Workload) => boolean

const NAME_MAX = 80
const DESCRIPTION_MAX = 500
const SUBJECT_MAX = 255
// What does not print, or makes what follows print elsewhere: names are shown to people who decide.
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u

/** @throws BrokerError `schema_violation` pointing at what is wrong */
export function checkedAgent(
  { name, workload, description = null }: NewAgent,
  isConfigured: WorkloadCheck,
): Pick<Agent, 'name' | 'description' | 'workload'> {
  if (name.trim() === '' || [...name].length > NAME_MAX || UNSEEN.test(name)) {
    throw violation('/name', 'readable')
  }
  const text = description?.replaceAll('\n', ' ') ?? ''
  if ([...text].length > DESCRIPTION_MAX || UNSEEN.test(text)) {
    throw violation('/description', 'readable')
  }
  return { name, description, workload: checkedWorkload(workload, isConfigured) }
}

function checkedWorkload(workload: Workload, isConfigured: WorkloadCheck): Workload {
  switch (workload.kind) {
    case 'oidc':
      if (!isConfigured(workload)) throw violation('/workload/issuer', 'configured')
      if (workload.subject === '' || workload.subject.length > SUBJECT_MAX) {
        throw violation('/workload/subject', 'length')
      }
      return workload
    case 'spiffe':
      if (trustDomainOf(workload.id) === null) throw violation('/workload/id', 'spiffe_id')
      if (!isConfigured(workload)) throw violation('/workload/id', 'configured')
      return workload
    case 'jwk':
      return { kind: 'jwk', jwk: publicKey(workload) }
  }
}

/** Kept without what does not make the key; a private key is refused, and not repeated. */
function publicKey({ jwk }: Extract<Workload, { kind: 'jwk' }>) {
  try {
    return readInstanceKey(jwk).jwk
  } catch (error) {
    if (error instanceof JwsError) throw violation('/workload/jwk', error.message)
    throw error
  }
}

const violation = (pointer: string, rule: string) =>
  new BrokerError('schema_violation', { shown: { errors: [{ pointer, rule }] } })
