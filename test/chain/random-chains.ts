/** Chains of any depth that mostly hold, and how they are written. */
import { AGENTS, hopDraft, keyOf, KEYS, NOW, OTHER_KEY, rootDraft } from './example.ts'
import {
  compactOf,
  type Draft,
  encode,
  type HolderKey,
  ISSUER,
  linked,
  type Members,
  ROOT_KEY,
  ROOT_KID,
  signatureOf,
  THUMBPRINT,
} from './making.ts'
import type { World } from './oracle.ts'
import type { Spelling, Written } from './oracle-reading.ts'
import { anAuthority, diceOf, type Stated, tightened } from './random-authority.ts'

/** A token before it is written, and what is to be done to its writing. */
export interface Plan {
  draft: Draft
  header: Spelling
  claims: Spelling
  signature: 'whole' | 'a bit' | 'none' | 'of another'
}
export interface Scene {
  plans: Plan[]
  world: World
  /** First tokens that are known, and not presented; `isForgotten`: not known either. */
  leftOut: number
  isForgotten: boolean
  /** What happens to the finished tokens. */
  after: ((tokens: Written[]) => Written[])[]
}

/** A chain that mostly holds: each token less than the one before. */
export function aScene(seed: number): Scene {
  const dice = diceOf(seed)
  const depth = Math.min(dice(9), dice(12))
  const keys = KEYS.map((key) => (dice(9) === 0 ? OTHER_KEY : key))
  const at = (n: number): HolderKey => {
    const key = keys[n] ?? OTHER_KEY
    return keys.indexOf(key) === n ? key : keyOf(n)
  }
  let stated = anAuthority(dice)
  let inherited = stated.constraints
  let exp = NOW + 1000
  const plans = [
    planOf(
      rootDraft({
        exp,
        del_max_depth: Math.min(8, depth + 1 + Math.max(depth ? 0 : 1, dice(4))),
        cnf: { jkt: at(0).jkt },
        ...claimsOf(stated),
      }),
    ),
  ]
  for (let hop = 1; hop <= depth; hop += 1) {
    stated = tightened(stated, inherited, dice)
    const names = stated.constraints.map(nameOf)
    inherited = [...inherited.filter((it) => !names.includes(nameOf(it))), ...stated.constraints]
    exp -= dice(3)
    const key = at(hop - 1)
    const draft = hopDraft(hop, {
      ...{
        iss: THUMBPRINT + key.jkt,
        iat: NOW - 10,
        exp,
        jti: `hop-${String(seed)}-${'x'.repeat(12)}`.slice(0, 64),
      },
      ...{ client_id: AGENTS[hop], cnf: { jkt: at(hop).jkt }, ...claimsOf(stated) },
      ...(dice(6) === 0 ? { nbf: NOW - 20 + hop } : {}),
    })
    plans.push(
      planOf({
        ...draft,
        key,
        header: { alg: key.alg, jwk: key.jwk, typ: 'at+jwt', ...(dice(2) ? { c14n: 'JCS' } : {}) },
      }),
    )
  }
  return { plans, leftOut: 0, isForgotten: false, after: [], world: aWorld() }
}

const nameOf = ({ key, ...rest }: Members) => [key, ...Object.keys(rest)].join()
const planOf = (draft: Draft): Plan => ({
  draft,
  header: 'canonical',
  claims: 'canonical',
  signature: 'whole',
})
const aWorld = (): World => ({
  ...{
    issuer: ISSUER,
    roots: { [ROOT_KID]: ROOT_KEY, 'rot-old': OTHER_KEY },
    now: NOW,
    repeat: false,
  },
  ...{ purposes: null, delegates: null, presenter: null, states: [] },
})
const claimsOf = ({ purpose, scopes, constraints }: Stated): Members => ({
  purpose,
  authorization_details: [{ type: 'agent_delegation', scopes, constraints }],
})

/** The tokens of a scene, as they are shown. */
export function written({ plans, after }: Scene): Written[] {
  const tokens: Written[] = []
  for (const { draft, header, claims, signature } of plans) {
    const said = linked(
      draft,
      tokens.map(({ compact }) => compact),
    )
    const compact = compactOf({
      ...said,
      spellHeader: spell(header),
      spellClaims: spell(claims),
      onTheWay: spoil(signature, said),
    })
    tokens.push({ draft: said, compact, header, claims, isSigned: signature === 'whole' })
  }
  return after.reduce((all, change) => change(all), tokens)
}

const spell = (how: Spelling) => (text: string) => {
  switch (how) {
    case 'canonical':
      return text
    case 'other':
      return text.replace('{', '{ ')
    case 'twice':
      return text.replace('{', '{"a":1,"a":1,')
    case 'infinite':
      return text.replace('{', '{"a":-1e999,')
    case 'unsafe':
      return text.replace('{', '{"a":9007199254740993,')
    case 'no json':
      return text.slice(0, -1)
  }
}

const spoil =
  (how: Plan['signature'], { key }: Draft) =>
  (compact: string) => {
    if (how === 'whole') return compact
    const input = compact.slice(0, compact.lastIndexOf('.'))
    const raw = Buffer.from(
      signatureOf(how === 'of another' ? `${input}x` : input, key),
      'base64url',
    )
    if (how === 'a bit') raw[20] = (raw[20] ?? 0) ^ 4
    return `${input}.${how === 'none' ? '' : encode(raw)}`
  }
