/** The repository's own policies in force, and a chain that asks them. */
import { generateKeyPairSync } from 'node:crypto'
import type { Authority } from '../../src/domain/authority.ts'
import type { Chain } from '../../src/domain/chain.ts'
import { authorityOf, type Terms } from '../../src/domain/consent.ts'
import { type Signer, signingKey } from '../../src/domain/jws.ts'
import type { Yes } from '../../src/domain/approval.ts'
import { questionOf } from '../../src/domain/question.ts'
import type { ToolCall } from '../../src/domain/tool.ts'
import type { Posed } from '../../src/policy/asking.ts'
import { readCall } from '../../src/policy/call.ts'
import { createEngine } from '../../src/policy/cedar.ts'
import type { PolicyFiles } from '../../src/policy/files.ts'
import { readFolder } from '../../src/policy/folder.ts'
import { loadGrammar } from '../../src/policy/grammar.ts'
import { type InForce, prepareSet } from '../../src/policy/policy-set.ts'
import { aConsent, IDS, NOW } from '../fakes/settled.ts'

export const parse = await loadGrammar()
export const files: PolicyFiles = await readFolder('policies')

/** A set in force as publishing would have put it, without a database. */
export async function inForce(of: PolicyFiles = files): Promise<InForce> {
  const { compiled, ...set } = await prepareSet(of, parse)
  return { ...set, epoch: 1, policies: createEngine().use(compiled) }
}

export interface Asked {
  readonly terms?: Partial<Terms>
  readonly effective?: Partial<Authority>
  readonly groups?: readonly string[]
  readonly approval?: Yes | null
}

export function aChain({ terms, effective, groups = [] }: Asked = {}): Chain {
  const before = aConsent()
  const consent = { ...before, terms: { ...before.terms, purpose: 'reporting', ...terms } }
  const { purpose, expiresAt } = consent.terms
  const who = { depth: 0, agent: IDS.agent, instance: IDS.instance, jkt: 'jkt', model: null }
  const hop = { ...who, tokenHash: null, delegation: null }
  return {
    ...{ consent, sponsorGroups: groups, readAt: NOW, session: 'session-jti' },
    hops: [{ ...hop, purpose, expiresAt }],
    effective: { ...authorityOf(consent.terms), ...effective },
    accounts: [{ id: consent.id, bounds: authorityOf(consent.terms).constraints }],
  }
}

export function sqlCall(set: InForce, sql: string, ttlSeconds?: number): ToolCall {
  const request = { tool: 'sql.query', arguments: { sql }, ttlSeconds }
  return readCall(set.catalogue, set.purposes, request)
}

/** Of a purpose that nobody outside triggers. */
export function posed(chain: Chain, call: ToolCall, approval: Yes | null = null): Posed {
  return { ...questionOf(chain, call, approval), isExternal: false }
}

export function asked(set: InForce, sql: string, how: Asked = {}): [Chain, Posed] {
  const chain = aChain(how)
  return [chain, posed(chain, sqlCall(set, sql), how.approval)]
}

export function aSigner(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = signingKey({ kid: 'pdp-test', alg: 'ES256', privateKey, publicKey })
  return { issuer: 'https://broker.example', keys: [key] }
}
