/** What the orchestrator and its workers say to each other; no key and no session is among it. */

/** A worker to the orchestrator: "this is me; hand it on to this key". */
export interface Ready {
  readonly kind: 'ready'
  readonly agent: string
  readonly jkt: string
}

/** The orchestrator to a worker. */
export interface Work {
  readonly kind: 'work'
  /** Of no use to anybody who overhears it. */
  readonly chain: string
  readonly purpose: string
  readonly statements: readonly string[]
}

/** A worker to the orchestrator: what came of each statement. */
export interface Done {
  readonly kind: 'done'
  readonly results: readonly Result[]
}
export interface Result {
  readonly statement: string
  /** Rows, or why there are none. */
  readonly rows: readonly Readonly<Record<string, string>>[] | null
  readonly refused: string | null
}
