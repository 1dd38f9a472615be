/** What callers asked and were answered, a line an attempt, in the order of the answers. No secret is in it. */
import { createHash } from 'node:crypto'
import { appendFileSync, readFileSync } from 'node:fs'
import { isObject, type Json, type JsonObject, parseTrusted } from '../src/domain/json.ts'

export type Op =
  | 'agent'
  | 'consent'
  | 'session'
  | 'mint'
  | 'look'
  | 'approve'
  | 'give back'
  | 'redeem'
  | 'withdraw'
  | 'retire'
  | 'login'
  | 'proof'
  /** Not of a caller, but of the driver: a fault is armed; from here on nothing is; all has come to rest. */
  | 'fault'
  | 'calm'
  | 'healed'

export interface Line {
  readonly op: Op
  /** Attempts of one call share it. */
  readonly call: number
  readonly attempt: number
  readonly actor: string
  readonly sponsor: string
  /** When it was sent, and when it was answered; milliseconds since 1970. */
  readonly at: number
  readonly answeredAt: number
  /** The Idempotency-Key. */
  readonly key: string | null
  /** What was asked, where the same key must ask the same. */
  readonly asked: string | null
  /** 0: no answer came. */
  readonly status: number
  readonly code: string | null
  /** Answered from what was answered before. */
  readonly replayed: boolean
  /** Every id that the answer names. */
  readonly ids: readonly string[]
  readonly event: string | null
  readonly consent: string | null
  readonly decision: string | null
  readonly credential: string | null
  readonly approval: string | null
  readonly request: string | null
  /** SHA-256 of the secret that was delivered, base64url. */
  readonly secret: string | null
  /** SHA-256 of the leaf that was proven to be in the ledger, base64. */
  readonly leaf: string | null
}

export interface Journal {
  readonly file: string
  readonly lines: readonly Line[]
  write(line: Line): void
}

export function createJournal(file: string): Journal {
  const lines: Line[] = []
  return {
    ...{ file, lines },
    write(line) {
      lines.push(line)
      appendFileSync(file, `${JSON.stringify(line)}\n`)
    },
  }
}

export function readJournal(file: string): Line[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => parseTrusted(line) as unknown as Line)
}

export const BLANK: Omit<Line, 'op' | 'at'> = {
  ...{ call: 0, attempt: 1, actor: '', sponsor: '', answeredAt: 0, key: null, asked: null },
  ...{ status: 0, code: null, replayed: false, ids: [], event: null, consent: null },
  ...{ decision: null, credential: null, approval: null, request: null, secret: null, leaf: null },
}

/** What a line says of an answer's body. */
export function said(body: JsonObject): Partial<Line> {
  const ids = [...new Set(JSON.stringify(body).match(ID) ?? [])]
  const text = (name: string) => stringOf(body[name])
  return {
    ...{ ids, event: text('event_id'), consent: text('consent_id') },
    ...{ decision: text('decision_id'), request: text('request_id') },
    credential: ids.find((id) => id.startsWith('crd_')) ?? null,
    approval: ids.find((id) => id.startsWith('apr_')) ?? null,
    secret: secretIn(body['credential']),
  }
}

const ID = /\b(?:agt|apr|con|crd|dec|evt|ins|rev)_[0-9a-z]{26}\b/g
const stringOf = (value: Json | undefined) => (typeof value === 'string' ? value : null)

function secretIn(credential: Json | undefined): string | null {
  if (!isObject(credential ?? null)) return null
  const { token, password } = credential as JsonObject
  const secret = token ?? password
  return typeof secret === 'string' ? sha256(secret) : null
}

export const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url')
