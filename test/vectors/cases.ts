/** The cases that vectors are made from: the worked example, and one thing changed. */
import { exampleDrafts, hopDraft, rootDraft } from '../chain/example.ts'
import type { Draft, Members } from '../chain/making.ts'
import type { ChainVector, Expected } from './chain-vector.ts'

export interface Case extends Partial<
  Pick<ChainVector, 'now' | 'purposes' | 'delegates' | 'revoked' | 'repeat_constraints'>
> {
  readonly name: string
  readonly about: string
  readonly chain: readonly (Draft | string)[]
  /** How many of the first tokens are known, and not presented. */
  readonly leaveOut?: number
  /** They were left out, and are not known either. */
  readonly isForgotten?: boolean
  readonly presenter?: readonly [clientId: string, jkt: string]
  readonly expected: Expected
}

/** A name that says what is wrong, and a sentence that says why. */
export const refused = (
  name: string,
  about: string,
  chain: Case['chain'],
  expected: Expected,
): Case => ({ name, about, chain, expected })

/** The example, with one token changed. */
export function but(at: number, change: (draft: Draft) => unknown): Draft[] {
  const drafts = exampleDrafts()
  const draft = drafts[at]
  if (draft) change(draft)
  return drafts
}
export const claim = (at: number, name: string, value: unknown) =>
  but(at, ({ claims }) => (claims[name] = value))
export const header = (at: number, name: string, value: unknown) =>
  but(at, (draft) => (draft.header[name] = value))
/** The example, with the spelling of one payload changed. */
export const spelt = (at: number, from: string | RegExp, to: string) =>
  but(at, (draft) => (draft.spellClaims = (text) => text.replace(from, to)))
/** The example, with the one detail of a token changed. */
export const detail = (at: number, change: (detail: Detail) => unknown) =>
  but(at, ({ claims }) => change((claims['authorization_details'] as [Detail])[0]))
interface Detail extends Members {
  scopes: unknown[]
  constraints: Members[]
}

/** A root and one hop, with nothing in them but what is given. */
export function pair(above: Partial<Terms>, below: Partial<Terms>): Draft[] {
  const scopes = ['crm.*']
  const root = rootDraft(terms({ scopes, purpose: 'support', ...above }))
  const hop = hopDraft(1, {
    ...{ iat: 1_795_256_120, exp: 1_795_263_300, jti: 'hop1-CCQ2Zvkmqk5biEuO8' },
    ...terms({ scopes, purpose: 'support', ...below }),
  })
  return [root, hop]
}
export interface Terms extends Members {
  readonly scopes: readonly string[]
  readonly purpose: string
  readonly constraints: readonly Members[]
}
function terms({ scopes, constraints = [], ...claims }: Partial<Terms>): Members {
  const stated = { type: 'agent_delegation', scopes, constraints }
  return { ...claims, authorization_details: [stated] }
}
