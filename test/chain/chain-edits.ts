/** Whatever can be done to a chain: to each field, each byte, each link, each state. */
import { AGENTS, keyOf, KEYS, NOW, OTHER_KEY } from './example.ts'
import { GRANDPARENT, ISSUER, type Members, ROOT_KEY, ROOT_KID, THUMBPRINT } from './making.ts'
import type { World } from './oracle.ts'
import type { Spelling } from './oracle-reading.ts'
import { aBound, type Dice, nudged, pick, PURPOSES, type Stated } from './random-authority.ts'
import { aScene, type Plan, type Scene, written } from './random-chains.ts'

export type Edit = (scene: Scene, dice: Dice) => void

const anId = (kind: string, dice: Dice) =>
  `${kind}_01m7w77j50fm7bryxempg1g${pick(dice, ['knk', 'knm', 'knn'])}`

const WEIRD = [
  null,
  '',
  'x',
  'É',
  0,
  -1,
  1,
  1.5,
  2 ** 53,
  [],
  ['x'],
  {},
  true,
  'x'.repeat(1025),
  'a\n',
  '*',
]
const anyPlan = ({ plans }: Scene, dice: Dice): Plan => pick(dice, plans)
const setClaim =
  (name: string, value: (dice: Dice, was: unknown, scene: Scene) => unknown): Edit =>
  (scene, dice) => {
    const { claims } = anyPlan(scene, dice).draft
    claims[name] = value(dice, claims[name], scene)
  }
const inDetail =
  (change: (detail: Stated & Members, dice: Dice) => void): Edit =>
  (scene, dice) => {
    const details = anyPlan(scene, dice).draft.claims['authorization_details']
    const [detail] = (Array.isArray(details) ? details : []) as (Stated & Members)[]
    const isWhole = Array.isArray(detail?.scopes) && Array.isArray(detail.constraints)
    if (detail && isWhole && !detail.constraints.includes(null as never)) change(detail, dice)
  }
const inWorld =
  (change: (world: World, dice: Dice, scene: Scene) => Partial<World>): Edit =>
  (scene, dice) => {
    scene.world = { ...scene.world, ...change(scene.world, dice, scene) }
  }
const anyMember = (dice: Dice, of: Members) => pick(dice, Object.keys(of))
const anyKey = (dice: Dice) => pick(dice, [...KEYS.slice(0, 9), OTHER_KEY, ROOT_KEY])
const SPELLINGS: Spelling[] = ['other', 'twice', 'infinite', 'unsafe', 'no json']

export const EDITS: Readonly<Record<string, Edit>> = {
  'drop a claim': (scene, dice) => {
    const { claims } = anyPlan(scene, dice).draft
    Reflect.deleteProperty(claims, anyMember(dice, claims))
  },
  'any claim is anything': (scene, dice) => {
    const { claims } = anyPlan(scene, dice).draft
    claims[anyMember(dice, claims)] = pick(dice, WEIRD)
  },
  'a new claim': (scene, dice) => {
    anyPlan(scene, dice).draft.claims[
      pick(dice, ['act', 'model', 'nbf', 'par_hash', 'del_max_depth', 'consent_id', '__x', 'x'])
    ] = pick(dice, WEIRD)
  },
  'drop a header': (scene, dice) => {
    const { header } = anyPlan(scene, dice).draft
    Reflect.deleteProperty(header, anyMember(dice, header))
  },
  'any header is anything': (scene, dice) => {
    const { header } = anyPlan(scene, dice).draft
    header[pick(dice, [...Object.keys(header), 'crit', 'x5u'])] = pick(dice, [
      ...WEIRD,
      'none',
      'HS256',
      'ES256',
      'Ed25519',
      'EdDSA',
      ROOT_KID,
      'rot-old',
    ])
  },
  'another key in the header': (scene, dice) => {
    const { header } = anyPlan(scene, dice).draft
    const { jwk } = anyKey(dice)
    header['jwk'] = pick(dice, [
      jwk,
      jwk,
      { ...jwk, d: 'x' },
      { ...jwk, x: 'x' },
      { ...jwk, y: keyOf(0).jwk['y'] },
      { kty: 'RSA' },
    ])
  },
  'another signer': (scene, dice) => {
    const plan = anyPlan(scene, dice)
    plan.draft = { ...plan.draft, key: anyKey(dice) }
  },
  'another signer, who says so': (scene, dice) => {
    const { draft } = anyPlan(scene, dice)
    const key = anyKey(dice)
    draft.key = key
    draft.header = { ...draft.header, alg: key.alg, jwk: key.jwk }
    draft.claims['iss'] = THUMBPRINT + key.jkt
  },
  'a broken signature': (scene, dice) => {
    anyPlan(scene, dice).signature = pick(dice, ['a bit', 'none', 'of another'])
  },
  'other bytes': (scene, dice) => {
    anyPlan(scene, dice)[pick(dice, ['header', 'claims'] as const)] = pick(dice, SPELLINGS)
  },
  issuer: setClaim('iss', (dice) =>
    pick(dice, [
      ISSUER,
      `${ISSUER}/roots`,
      THUMBPRINT + anyKey(dice).jkt,
      'https://other.example/roots',
    ]),
  ),
  sponsor: setClaim('sub', (dice) => anId('spn', dice)),
  audience: setClaim('aud', (dice) => pick(dice, [ISSUER, 'https://other.example', `${ISSUER}/`])),
  agent: setClaim('client_id', (dice) => pick(dice, AGENTS)),
  holder: setClaim('cnf', (dice) =>
    pick(dice, [
      { jkt: anyKey(dice).jkt },
      { jkt: anyKey(dice).jkt },
      { jkt: 'x' },
      { jkt: anyKey(dice).jkt, kid: 'x' },
    ]),
  ),
  'a key again': ({ plans }, dice) => {
    const leaf = plans.at(-1)
    if (leaf) leaf.draft.claims['cnf'] = pick(dice, plans).draft.claims['cnf']
  },
  'a later end': setClaim('exp', (dice, was) => (Number(was) || NOW) + 1 + dice(3)),
  'another end': setClaim('exp', (dice) => NOW + dice(3) - 1),
  'a beginning': setClaim('nbf', (dice) => NOW + pick(dice, [-30, -20, -19, -18, 0, 1])),
  purpose: setClaim('purpose', (dice) =>
    pick(dice, [...PURPOSES, 'support.other', 'Support', 'support.']),
  ),
  depth: setClaim('del_depth', (dice, was) => (Number(was) || 0) + dice(3) - 1),
  'depth allowed': setClaim('del_max_depth', (dice) => dice(10)),
  'depth lowered, then raised': ({ plans }, dice) => {
    const at = dice(plans.length)
    const [low, high] = [plans[at], plans[at + 1]]
    if (low && at > 0) low.draft.claims['del_max_depth'] = at + 1
    if (high) high.draft.claims['del_max_depth'] = at + 1 + dice(3)
  },
  beginnings: ({ plans }, dice) => {
    for (const { draft } of plans.slice(1)) {
      if (dice(2)) draft.claims['nbf'] = NOW - dice(4)
    }
  },
  'another parent': setClaim('par_hash', (dice) =>
    pick(dice, [anyKey(dice).jkt, GRANDPARENT, GRANDPARENT, 'x']),
  ),
  'another scope': inDetail(({ scopes }, dice) =>
    scopes.push(
      pick(dice, [
        'crm.*',
        'crm.read',
        'hr.read',
        'crmx.read',
        'crm.readx',
        'crm.read.*',
        '*',
        'crm.re*',
        'CRM.Read',
        'opaque:1',
        'Opaque:1',
        'crm',
        'a b',
        7 as never,
      ]),
    ),
  ),
  'no scopes': inDetail((detail) => {
    detail.scopes = []
  }),
  'the scopes backwards': inDetail((detail) => {
    detail.scopes = detail.scopes.toReversed()
  }),
  'another bound': inDetail(({ constraints }, dice) => constraints.push(aBound(dice))),
  'a bound nudged': inDetail((detail, dice) => {
    const at = dice(detail.constraints.length + 1)
    detail.constraints = detail.constraints.map((it, n) => (n === at ? nudged(it, dice) : it))
  }),
  'every bound nudged': inDetail((detail, dice) => {
    detail.constraints = detail.constraints.map((it) => nudged(it, dice))
  }),
  'a bound left out': inDetail((detail, dice) => {
    detail.constraints.splice(dice(detail.constraints.length + 1), 1)
  }),
  'more than fits': inDetail(({ constraints }, dice) => {
    const texts = Array.from(
      { length: 60 + dice(240) },
      (_, at) => `${'x'.repeat(30)}${String(at)}`,
    )
    constraints.push({ key: 'args.c', one_of: texts })
  }),
  'more scopes than there may be': inDetail((detail, dice) => {
    const scopes = Array.from({ length: 60 + dice(8) }, (_, at) => `crm.x${String(at)}`)
    detail.scopes = [...detail.scopes.slice(0, 1), ...scopes]
  }),
  'a second detail': (scene, dice) => {
    const details = anyPlan(scene, dice).draft.claims['authorization_details']
    if (Array.isArray(details)) details.push(details[0])
  },
  'the bounds backwards': inDetail((detail) => {
    detail.constraints = detail.constraints.toReversed()
  }),
  'a bound that is none': inDetail(({ constraints }, dice) =>
    constraints.push(pick(dice, BAD_BOUNDS)),
  ),
  'a detail that is another': inDetail((detail, dice) => {
    detail[pick(dice, ['type', 'more', 'scopes'])] = pick(dice, WEIRD)
  }),
  'two tokens swapped': ({ after }, dice) => {
    const [one, other] = [dice(9), dice(9)]
    after.push((tokens) =>
      tokens.map((it, at) => (at === one ? tokens[other] : at === other ? tokens[one] : it) ?? it),
    )
  },
  'a token dropped': ({ after }, dice) => {
    const drop = dice(9)
    after.push((tokens) => (tokens.length > 1 ? tokens.filter((_it, at) => at !== drop) : tokens))
  },
  'a token twice': ({ after }, dice) => {
    const twice = dice(9)
    after.push((tokens) => tokens.flatMap((it, at) => (at === twice ? [it, it] : [it])))
  },
  'a token of another chain': ({ after }, dice) => {
    const [at, seed] = [dice(9), dice(1000)]
    after.push((tokens) =>
      tokens.map((it, n) => (n === at ? (written(aScene(seed))[n] ?? it) : it)),
    )
  },
  'a plan dropped': ({ plans }, dice) => {
    if (plans.length > 1) plans.splice(dice(plans.length), 1)
  },
  'ancestors left out': (scene, dice) => {
    scene.leftOut = dice(scene.plans.length)
  },
  'ancestors forgotten': (scene, dice) => {
    Object.assign(scene, { leftOut: dice(scene.plans.length), isForgotten: true })
  },
  time: inWorld((_world, dice) => ({
    now: NOW + pick(dice, [-25, -19, -18, -1, 1, 985, 999, 1000]),
  })),
  vocabulary: inWorld((_world, dice) => ({ purposes: PURPOSES.filter(() => dice(5) > 0) })),
  delegates: inWorld((_world, dice) => ({ delegates: AGENTS.filter(() => dice(6) > 0) })),
  presenter: inWorld((_world, dice, { plans }) => {
    const { client_id: agent, cnf } = plans.at(-1)?.draft.claims ?? {}
    const jkt = (cnf as Members | null)?.['jkt']
    return {
      presenter: {
        clientId: dice(4) ? String(agent) : pick(dice, AGENTS),
        jkt: dice(4) ? String(jkt) : anyKey(dice).jkt,
      },
    }
  }),
  states: inWorld((_world, dice) => {
    const state = () => pick(dice, ['revoked', 'unknown'] as const)
    const hops = [null, 0, 1, 2, 5].filter(() => dice(3) === 0)
    return { states: hops.map((hop) => ({ hop, state: state() })) }
  }),
  repetition: inWorld(() => ({ repeat: true })),
  'another broker': inWorld(() => ({ issuer: 'https://other.example' })),
}

const BAD_BOUNDS: Members[] = [
  { key: 'args.a' },
  { key: 'args.a', geo: 1 },
  { key: 'args.a', max: 1, geo: 1 },
  { key: 'args.a', max: '1' },
  { key: 'a', max: 1 },
  { key: 'calls', max: 1 },
  { key: 'ttl_seconds', min: 1 },
  { key: 'args.a', rank: 'a' },
  { key: 'args.a', rank: 'a', order: ['a', 'a'] },
  { key: 'args.a', order: ['a', 'b'] },
  { key: 'args.a', prefix: 'a' },
  { key: 'args.a', prefix: 'a//' },
  { key: 'args.a', eq: null },
  { key: 'args.a', eq: 1.5 },
  { key: 'args.a', one_of: ['a', 'a'] },
  { key: 'args.a', max_length: -1 },
  { key: 7, max: 1 },
  { key: 'crm.*#calls', max_subtree: 1 },
  null as never,
]
