/** What comes back over the line, read as strictly as what goes there: nonsense is no answer. */
import { z } from 'zod'
import type { Ruling } from '../domain/decision.ts'
import { parseTrusted } from '../domain/json.ts'
import { PROBLEMS, type ProblemCode, type Shown } from '../domain/problems.ts'
import type { Recognised } from '../domain/request.ts'
import type { Name, Proven, Service } from './questions.ts'

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
    readonly shown: Shown
    /** It is with the refusals on record already. */
    readonly isCounted: boolean
  }
  /** It was none of the questions. */
  readonly isNoQuestion?: true
}

const text = z.string()
const hop = z.number().nullable()
const isProblem = (code: string): code is ProblemCode => Object.hasOwn(PROBLEMS, code)
const problem = text.refine(isProblem)
/** Of this shape as far as it is looked at here. */
const some = <Shape extends z.ZodRawShape>(shape: Shape) => z.looseObject(shape)

const SHOWN = z.strictObject({
  ...{ detail: text.optional(), fix: text.optional(), reason: text.optional() },
  ...{ decision: text.optional(), outcome: text.optional(), field: text.optional() },
  evaluation: z
    .strictObject({
      status: z.enum(['evaluated', 'not_evaluated']),
      unavailableInput: text.nullable(),
    })
    .optional(),
  stoppedBy: some({ hop, kind: text, id: text }).optional(),
  ...{ hop: hop.optional(), isUnreadable: z.literal(true).optional(), allow: text.optional() },
  budget: some({
    ...{ account: text, key: text, type: text },
    ...{ limit: z.number(), used: z.number(), asked: z.number() },
  }).optional(),
  errors: z.array(some({ pointer: text, rule: text })).optional(),
  oauth: some({ error: text, code: text }).optional(),
  retryAfterSeconds: z.int().min(0).optional(),
})

const REPLY = z.strictObject({
  nonce: text,
  caller: z
    .strictObject({
      ...{ kind: z.enum(['agent', 'person', 'service']), id: text, sponsor: text.nullable() },
    })
    .nullable(),
  answer: z.unknown().optional(),
  refusal: z
    .strictObject({ code: problem, message: text, shown: SHOWN, isCounted: z.boolean() })
    .optional(),
  isNoQuestion: z.literal(true).optional(),
})

/** A time is a time again. */
const time = z.iso.datetime().transform((it) => new Date(it))
const rules = z.array(
  some({
    ...{ id: text, effect: z.enum(['permit', 'forbid']) },
    ...{ says: text.nullable(), asks: text.nullable() },
    ...{ how: z.enum(['session', 'passkey']), withinSeconds: z.number() },
  }),
)

const RULING = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('allow'), signed: text }),
  z.strictObject({
    ...{ kind: z.literal('ask'), decision: text, argsHash: text, level: z.enum(['L2', 'L3']) },
    ...{ approval: z.strictObject({ id: text, expiresAt: time }), rules, isRepeat: z.boolean() },
  }),
  z.strictObject({
    ...{ kind: z.literal('deny'), decision: text, isRepeat: z.boolean() },
    answer: some({
      ...{ kind: z.enum(['deny', 'none']), code: problem, rules },
      stoppedBy: some({ hop, kind: text, id: text }),
    }),
  }),
  z.strictObject({ kind: z.literal('repeat'), credential: text, decision: text }),
])

const SESSION = z.strictObject({
  ...{ agent: text, instance: text, sponsor: text, consent: text, jti: text, tokenHash: text },
  delegation: z.strictObject({ id: text, depth: z.number(), leaf: text }).nullable(),
  authority: some({
    ...{ scopes: z.array(text), purpose: text, constraints: z.array(some({ key: text })) },
  }),
  model: some({}).nullable(),
  expiresAt: time,
})

const ANSWERS = {
  decide: RULING,
  authenticate: z.strictObject({ session: SESSION, jkt: text }),
  service: z.strictObject({ name: text, audience: text, tokenHash: text }),
  checkProof: z.null(),
  refused: z.null(),
  ready: z.strictObject({ failing: text.nullable() }),
} as const satisfies Record<Name, z.ZodType>

export interface Answers {
  readonly decide: Ruling
  readonly authenticate: Proven
  readonly service: Service
  readonly checkProof: null
  readonly refused: null
  readonly ready: { readonly failing: string | null }
}

/** @throws Error when it is not a reply at all, or one to another question */
export function readReply(name: Name, octets: Buffer): Reply {
  const reply = REPLY.parse(parseTrusted(octets.toString('utf8'))) as Reply
  if (reply.refusal !== undefined || reply.isNoQuestion) return reply
  return { ...reply, answer: ANSWERS[name].parse(reply.answer) }
}
