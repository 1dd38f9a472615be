/**
 * What passes between the two processes. The delivering one hands over what an agent or a service
 * presented, unopened; the deciding one verifies it for itself and answers.
 */
import { z } from 'zod'
import type { Ruling } from '../domain/decision.ts'
import type { Session } from '../domain/instance.ts'
import { readJson } from '../domain/json.ts'
import { PROBLEMS } from '../domain/problems.ts'
import type { Face, Presented } from '../domain/request.ts'

/** The deciding process, as the delivering one sees it. */
export interface Answering {
  /** May they? Only of what was sent to `POST /v1/credentials`. */
  decide(presented: Presented): Promise<Ruling>
  authenticate(presented: Presented): Promise<Proven>
  /** @param assertion of the form; left out, it is the Bearer token */
  service(presented: Presented, assertion?: string | null): Promise<Service>
  /** A proof that an agent showed a target: looked at, and used up where it is a good one. */
  checkProof(shown: ShownProof): Promise<void>
  /** What the delivering side refused without asking: what it was refused is counted where that was. */
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
export interface ShownProof extends Readonly<
  Record<'proof' | 'htm' | 'htu' | 'token' | 'jkt', string>
> {
  readonly usedBy: string | null
}
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

/** Told at once: within the members that a head may have. */
export const REFUSED_MAX = 200
/** Of one kind; more are told as that many. */
export const COUNT_MAX = 1_000_000
/** Whoever calls the broker comes by one of these. */
const DOORS = ['native', 'oauth', 'authzen'] as const satisfies readonly Face[]

/** Nothing that our delivering side would put: a mistake of ours, and none of the agent's. */
export class NoQuestion extends Error {
  override readonly name = 'NoQuestion'
}

const text = z.string()
const PRESENTED = z.strictObject({
  ...{ method: text.max(32), path: text.max(8192), requestId: text.max(128) },
  ...{ authorization: text.nullable(), dpop: text.nullable(), idempotencyKey: text.nullable() },
  origin: z.strictObject({ address: text.max(64), userAgent: text.nullable() }),
})
/** What each question says, beside the body that an agent sent. */
export const HEADS = {
  decide: z.strictObject({ presented: PRESENTED }),
  authenticate: z.strictObject({ presented: PRESENTED }),
  service: z.strictObject({ presented: PRESENTED, assertion: text.nullable().optional() }),
  checkProof: z.strictObject({
    shown: z.strictObject({
      ...{ proof: text, htm: text, htu: text, token: text, jkt: text },
      usedBy: text.regex(/^[A-Za-z0-9_-]{43}$/).nullable(),
    }),
  }),
  refused: z.strictObject({
    counts: z
      .array(
        z.strictObject({
          face: z.enum(DOORS),
          code: text.refine((code) => Object.hasOwn(PROBLEMS, code)),
          caller: text.max(64).nullable(),
          count: z.int().min(1).max(COUNT_MAX),
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

/** @throws NoQuestion */
export function readQuestion<N extends Name>(name: N, octets: Buffer) {
  const end = octets.indexOf(LINE_END)
  try {
    if (end === -1) throw new Error('a head without an end')
    const head = HEADS[name].parse(readJson(octets.subarray(0, end))) as z.output<(typeof HEADS)[N]>
    return { head, body: octets.subarray(end + 1) }
  } catch (cause) {
    throw new NoQuestion('not a question', { cause })
  }
}

/** All of it but the body, which goes behind, and what is not to be believed or told: see `faceOf`. */
export function headOf({ body: _body, recognised: _told, face: _face, ...presented }: Presented) {
  return { presented }
}

/** By which door a request came is told by what was asked: it says what a proof has to cover. */
export function faceOf(name: Name, path: string): 'native' | 'oauth' {
  return name === 'service' && path.startsWith('/oauth/') ? 'oauth' : 'native'
}
