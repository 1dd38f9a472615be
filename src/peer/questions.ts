/**
 * What passes between the two processes. The delivering one hands over what an agent or a service
 * presented, unopened; the deciding one verifies it for itself and answers.
 */
import { z } from 'zod'
import type { Ruling } from '../domain/decision.ts'
import type { Session } from '../domain/instance.ts'
import { type JsonObject, parseTrusted, readJson } from '../domain/json.ts'
import { BrokerError, PROBLEMS, type ProblemCode } from '../domain/problems.ts'
import type { Face, Presented, Recognised } from '../domain/request.ts'

/** The deciding process, as the delivering one sees it. */
export interface Answering {
  /** May they? Only of what was sent to `POST /v1/credentials`. */
  decide(presented: Presented): Promise<Ruling>
  authenticate(presented: Presented): Promise<Proven>
  /** @param assertion of the form; left out, it is the Bearer token */
  service(presented: Presented, assertion?: string | null): Promise<Service>
  /** A proof that an agent showed a target: used up. */
  checkProof(shown: ShownProof): Promise<void>
  /** What the delivering side refused by itself, to be counted with the rest. */
  refused(counts: readonly Refused[]): Promise<void>
  /** `failing`: what it lacks, as its /readyz says; `null` when it is all there. */
  ready(): Promise<{ readonly failing: string | null }>
}

export interface Proven {
  readonly session: Session
  readonly jkt: string
}
export interface Service {
  readonly name: string
  readonly audience: string
  readonly tokenHash: string
}
export type ShownProof = Readonly<Record<'proof' | 'htm' | 'htu' | 'token' | 'jkt', string>>
export interface Refused {
  readonly face: Face
  readonly code: string
  readonly caller: string | null
  readonly count: number
}

export type Name = keyof Answering
export const NAMES = [
  'decide',
  'authenticate',
  'service',
  'checkProof',
  'refused',
  'ready',
] as const

export const REFUSED_MAX = 500
const text = z.string()
const PRESENTED = z.strictObject({
  ...{ method: text.max(32), path: text.max(8192), requestId: text.max(128) },
  ...{ authorization: text.nullable(), dpop: text.nullable(), idempotencyKey: text.nullable() },
  face: z.enum(['native', 'oauth']),
  origin: z.strictObject({ address: text.max(64), userAgent: text.nullable() }),
})
/** What each question says, beside the body that an agent sent. */
export const HEADS = {
  decide: z.strictObject({ presented: PRESENTED }),
  authenticate: z.strictObject({ presented: PRESENTED }),
  service: z.strictObject({ presented: PRESENTED, assertion: text.nullable().optional() }),
  checkProof: z.strictObject({
    shown: z.strictObject({ proof: text, htm: text, htu: text, token: text, jkt: text }),
  }),
  refused: z.strictObject({
    counts: z
      .array(
        z.strictObject({
          face: z.enum(['native', 'oauth']),
          code: text.max(64).regex(/^[a-z_]+$/),
          caller: text.max(64).nullable(),
          count: z.int().min(1),
        }),
      )
      .max(REFUSED_MAX),
  }),
  ready: z.strictObject({}),
} as const satisfies Record<Name, z.ZodType>

const LINE_END = 0x0a
const NOTHING = new Uint8Array()

/** One line of JSON, then the octets that the agent sent, as they came. */
export function questionOf(head: object, body: Uint8Array = NOTHING): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body])
}

/** @throws BrokerError `malformed_request`: no question that our delivering side would put */
export function readQuestion<N extends Name>(name: N, octets: Buffer) {
  const end = octets.indexOf(LINE_END)
  try {
    const head = HEADS[name].parse(readJson(octets.subarray(0, end))) as z.output<(typeof HEADS)[N]>
    return { head, body: octets.subarray(end + 1) }
  } catch (cause) {
    throw new BrokerError('malformed_request', { cause })
  }
}

/** All of it but the body, which goes behind, and what only this process knows. */
export function headOf({ body: _body, recognised: _told, ...presented }: Presented) {
  return { presented }
}

/** What every answer is wrapped in. */
export interface Reply {
  /** The one that proofs should carry now. */
  readonly nonce: string
  /** Whoever was recognised, also where they were then refused. */
  readonly caller: Recognised | null
  readonly answer?: unknown
  readonly refusal?: {
    readonly code: ProblemCode
    readonly message: string
    readonly shown: JsonObject
  }
}

/** Our own deciding side's words. @throws Error when it is not a reply at all */
export function readReply(octets: Buffer): Reply {
  const reply = parseTrusted(octets.toString('utf8')) as unknown as Reply
  const { nonce, refusal } = reply
  const isOne = typeof nonce === 'string' && (refusal === undefined || refusal.code in PROBLEMS)
  if (!isOne) throw new Error('not a reply')
  return reply
}

/** As it was before it was sent: times are times again. */
export const REVIVED = {
  decide(answer: unknown): Ruling {
    const ruling = answer as Ruling
    if (ruling.kind !== 'ask') return ruling
    const { id, expiresAt } = ruling.approval
    return { ...ruling, approval: { id, expiresAt: new Date(expiresAt) } }
  },
  authenticate(answer: unknown): Proven {
    const { session, jkt } = answer as Proven
    return { session: { ...session, expiresAt: new Date(session.expiresAt) }, jkt }
  },
} as const
