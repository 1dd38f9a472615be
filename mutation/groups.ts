/** What is mutated together, and the tests that it is held against. */

export interface Group {
  readonly mutate: readonly string[]
  readonly tests: readonly string[]
  /** Whether its tests need a PostgreSQL. */
  readonly database?: true
}

const src = (part: string, ...names: string[]) => names.map((name) => `src/${part}/${name}.ts`)

export const GROUPS = {
  reading: {
    mutate: ['src/domain/json.ts', 'src/http/read.ts'],
    tests: ['domain/{json,json-edges}', 'http/read'],
  },
  dpop: {
    mutate: src('identity', 'dpop', 'htu', 'nonce', 'proof-key', 'compact'),
    tests: ['identity/{dpop,dpop-edges,htu,nonce,proof-key,compact}'],
  },
  decision: {
    mutate: src('policy', 'evaluate', 'decide', 'lifetime', 'opinion', 'grant'),
    tests: ['policy/{deciding-rules,evaluate-edges,grant-rules,opinion}'],
  },
  authority: {
    mutate: src('domain', 'authority', 'constraint', 'scope', 'debits', 'binding'),
    tests: ['domain/{narrowing,constraint,scope,debits,binding}'],
  },
  consent: {
    mutate: ['src/consent/*.ts'],
    tests: ['consent/*'],
    database: true,
  },
  lease: {
    mutate: src('delivery', 'redeem', 'endings', 'claims', 'take-back'),
    tests: ['delivery/{claims,ending-rules,redeem-rules,take-back-rules}'],
  },
  'lease-rows': {
    mutate: src('delivery', 'leases', 'claiming'),
    tests: ['delivery/{cdp,due,life,sweep}'],
    database: true,
  },
  writer: {
    mutate: src('ledger', 'log', 'recording', 'turn', 'line'),
    tests: ['ledger/{log,log-together,log-joining,log-failing,log-outcome,line}'],
    database: true,
  },
  standing: {
    mutate: src('revocation', 'in-force', 'stop-of'),
    tests: ['revocation/{in-force,stop-of,revocation,freezing}'],
    database: true,
  },
  callers: {
    mutate: src('identity', 'callers'),
    tests: ['identity/{authenticate,callers}'],
    database: true,
  },
} as const satisfies Record<string, Group>

export type GroupName = keyof typeof GROUPS

export function isGroup(name: string | undefined): name is GroupName {
  return name !== undefined && Object.hasOwn(GROUPS, name)
}
