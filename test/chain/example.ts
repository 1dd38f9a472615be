/** The worked example of docs/chain.md: four tokens, whose hashes are known to everybody. */
import {
  type Draft,
  ed25519Key,
  type HolderKey,
  ISSUER,
  type Members,
  p256Key,
  PARENT,
  ROOT_KEY,
  ROOT_KID,
  THUMBPRINT,
} from './making.ts'

export const KEYS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) =>
  p256Key(`procura example key ${String(n)}`),
)
export const OTHER_KEY = ed25519Key('procura example ed25519 key')
export const keyOf = (n: number): HolderKey => KEYS[n] ?? ROOT_KEY

export const AGENTS = [
  'agt_01m7w77j50eec937p5s59kesns',
  'agt_01m7w77j51eh4t8awj3z3mvzef',
  'agt_01m7w77j52ebmvakg1jsjb5f75',
  'agt_01m7w77j53e33ayzszh9mx7z7m',
  'agt_01m7w77j54e33ayzszh9mx7z7m',
  'agt_01m7w77j55e33ayzszh9mx7z7m',
  'agt_01m7w77j56e33ayzszh9mx7z7m',
  'agt_01m7w77j57e33ayzszh9mx7z7m',
  'agt_01m7w77j58e33ayzszh9mx7z7m',
]
export const SPONSOR = 'spn_01m7w77j50fm7bryxempg1gknk'
export const ISSUED = 1_795_256_100
/** While all four are in force. */
export const NOW = 1_795_256_200
export const PURPOSES = [
  'sales',
  'support',
  'support.refunds',
  'support.refunds.goodwill',
  'support.refunds.damage',
]
export const TOKEN_HASHES = [
  'xcs-SwI4U3hba1rUYknZnaY8ziytJ0z13djjjKqrn_M',
  '-9Su5g45Eq1UjjCXZIHfXlLSA7kJdt4uiruaS9BMYok',
  'KtWs6Y01ldj71AXOd4o0T9ZBqBtt3SJTkJkHIJwEK4A',
  'EYRat4isQLkjSndMVQZU6JnoPoYBg5Js0qafQEVUuqc',
]

const delegation = (scopes: string[], ...constraints: Members[]) => [
  { type: 'agent_delegation', scopes, constraints },
]
const amount = 'payments.refund#args.amount'
const currency = 'payments.refund#args.currency'

export function rootDraft(own: Members = {}): Draft {
  return {
    key: ROOT_KEY,
    header: { alg: 'ES256', kid: ROOT_KID, typ: 'at+jwt' },
    claims: {
      ...{ iss: `${ISSUER}/roots`, sub: SPONSOR, aud: ISSUER, client_id: AGENTS[0] },
      ...{ iat: ISSUED, exp: 1_795_284_900, jti: '01m7ysm950fmxbe81yhnb8mpr8' },
      ...{ cnf: { jkt: keyOf(0).jkt }, consent_id: 'con_01m7yp6dh0e51smay59h4nrjz3' },
      ...{ instance_id: 'ins_01m7ysm950f95td77a6tk412bh' },
      ...{ purpose: 'support', del_depth: 0, del_max_depth: 4 },
      authorization_details: delegation(
        ['crm.*', 'payments.refund'],
        { key: amount, max: 10_000 },
        { key: amount, max_subtree: 50_000 },
        { key: currency, one_of: ['EUR', 'GBP'] },
        { key: 'calls', max_subtree: 40 },
        { key: 'ttl_seconds', max: 300 },
      ),
      ...own,
    },
  }
}

/** A hop by the key of the depth above, to the agent and key of its own. */
export function hopDraft(depth: number, own: Members = {}): Draft {
  const key = keyOf(depth - 1)
  return {
    key,
    header: { alg: key.alg, c14n: 'JCS', jwk: key.jwk, typ: 'at+jwt' },
    claims: {
      ...{ iss: THUMBPRINT + key.jkt, sub: SPONSOR, aud: ISSUER, client_id: AGENTS[depth] },
      ...{ cnf: { jkt: keyOf(depth).jkt }, del_depth: depth, par_hash: PARENT },
      ...own,
    },
  }
}

export function exampleDrafts(): Draft[] {
  return [
    rootDraft(),
    hopDraft(1, {
      ...{ iat: 1_795_256_120, exp: 1_795_263_300, jti: 'hop1-CCQ2Zvkmqk5biEuO8' },
      ...{ purpose: 'support.refunds', del_max_depth: 4 },
      authorization_details: delegation(
        ['crm.customer.read', 'payments.refund'],
        { key: amount, max: 5000 },
        { key: amount, max_subtree: 20_000 },
        { key: currency, one_of: ['EUR'] },
        { key: 'calls', max_subtree: 20 },
        { key: 'ttl_seconds', max: 120 },
      ),
    }),
    hopDraft(2, {
      ...{ iat: 1_795_256_140, exp: 1_795_259_700, jti: 'hop2-pJkGi49FagOtrxBk7' },
      purpose: 'support.refunds',
      authorization_details: delegation(
        ['payments.refund'],
        { key: amount, max: 2500 },
        { key: 'payments.refund#args.order_id', prefix: 'EU-2026/' },
      ),
    }),
    hopDraft(3, {
      ...{ iat: 1_795_256_160, exp: 1_795_256_280, jti: 'hop3-5z0sadq2s3mKS6lQF' },
      purpose: 'support.refunds.goodwill',
      authorization_details: delegation(
        ['payments.refund'],
        { key: amount, max: 1000 },
        { key: 'calls', max_lifetime: 2 },
      ),
    }),
  ]
}
