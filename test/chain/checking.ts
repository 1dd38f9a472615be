/** Chains for tests of single rules, and what the verifier says of them, in one line. */
import { verifyChain, type Verifying } from '../../src/chain/verify.ts'
import { AGENTS, hopDraft, KEYS, NOW, PURPOSES, rootDraft } from './example.ts'
import { type Draft, ISSUER, type Members, ROOT_KEY, ROOT_KID, seal } from './making.ts'

export const AGAINST = {
  issuer: ISSUER,
  rootKeys: new Map([[ROOT_KID, ROOT_KEY.publicKey]]),
  now: new Date(NOW * 1000),
} as const satisfies Omit<Verifying, 'tokens'>

/** With all that a broker has besides. */
export const BROKER = {
  ...AGAINST,
  purposes: new Set(PURPOSES),
  delegates: new Set(AGENTS.slice(1)),
  standing: () => 'good',
} as const satisfies Omit<Verifying, 'tokens'>

/** `valid`, or the outcome, the depth and the field. */
export function verdictOn(
  chain: readonly Draft[] | readonly string[],
  more: Partial<Verifying> = {},
): string {
  const tokens = chain.map((it) => (typeof it === 'string' ? it : ''))
  const isSealed = tokens.every((it) => it !== '')
  const given = isSealed ? tokens : seal(chain as readonly Draft[])
  const result = verifyChain({ ...AGAINST, tokens: given, ...more })
  if (result.ok) return 'valid'
  const { outcome, hop, field = '' } = result
  return `${outcome} ${String(hop)} ${field}`.trim()
}

/** A chain of this depth; each hop has half the uses of the one above. */
export function chainOf(depth: number, root: Members = {}): Draft[] {
  const drafts = [rootDraft({ del_max_depth: 8, ...stated(2 ** 10), ...root })]
  for (let hop = 1; hop <= depth; hop += 1) {
    const times = { iat: NOW - 60, exp: NOW + 600 - hop, jti: `hop-${String(hop)}-0123456789` }
    drafts.push(hopDraft(hop, { ...times, ...stated(2 ** (10 - hop)) }))
  }
  return drafts
}

const stated = (uses: number) => ({
  purpose: 'support',
  authorization_details: [
    {
      ...{ type: 'agent_delegation', scopes: ['crm.*'] },
      constraints: [
        { key: 'args.amount', max: uses },
        { key: 'calls', max_subtree: uses },
      ],
    },
  ],
})

export const LEAF = { clientId: AGENTS[3] ?? '', jkt: KEYS[3]?.jkt ?? '' }

export const detailOf = (draft: Draft | undefined) =>
  (draft?.claims['authorization_details'] as [{ scopes: string[]; constraints: Members[] }])[0]
