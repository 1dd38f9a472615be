/** Pure: the policy that ends sessions of a role before their time, and says itself what it may forget. */
import { z } from 'zod'
import { parseTrusted } from '../../../domain/json.ts'
import { SESSION } from './settings.ts'

/** A session that can do nothing any more. Times in seconds since 1970. */
export interface Denial {
  readonly session: string
  /** Since when it is written there; 0: long enough. */
  readonly since: number
  /** By then it has ended by itself. */
  readonly until: number
}

/** What an operator has to look at in the role. Its text is ours. */
export class RoleError extends Error {
  override readonly name = 'RoleError'
}

/** Of the 10,240 characters that all policies inside a role may have together. */
const CHARACTERS_MAX = 8000
/** What ends about the same time shares a statement. */
const TOGETHER_SECONDS = 300

const Sid = /^s(\d{1,12})u(\d{1,12})$/
const Document = z.strictObject({
  Version: z.literal('2012-10-17'),
  Statement: z.array(
    z.strictObject({
      Sid: z.string().regex(Sid),
      Effect: z.literal('Deny'),
      Action: z.literal('*'),
      Resource: z.literal('*'),
      Condition: z.strictObject({
        StringLike: z.strictObject({ 'aws:userid': z.array(z.string()) }),
      }),
    }),
  ),
})

/**
 * @param document as IAM tells it: percent-encoded, or by a gateway as it is
 * @throws RoleError when it is not one that `denialsDocument` made: it is not ours to overwrite
 */
export function readDenials(document: string): Denial[] {
  const { Statement: statements } = read(document)
  return statements.flatMap(({ Sid: sid, Condition: condition }) => {
    const [, since = '', until = ''] = Sid.exec(sid) ?? []
    return condition.StringLike['aws:userid'].map((pattern) => {
      const session = pattern.slice(2)
      if (pattern !== `*:${session}` || !SESSION.test(session)) throw notOurs()
      return { session, since: Number(since), until: Number(until) }
    })
  })
}

function read(document: string): z.infer<typeof Document> {
  try {
    const text = document.startsWith('%') ? decodeURIComponent(document) : document
    return Document.parse(parseTrusted(text))
  } catch (cause) {
    throw notOurs(cause)
  }
}

const notOurs = (cause?: unknown) => new RoleError('the policy of the role is not ours', { cause })

/** @throws RoleError when the role has no room for so many */
export function denialsDocument(denials: readonly Denial[]): string {
  const groups = new Map<string, string[]>()
  for (const { session, since, until } of denials) {
    const last = Math.ceil(until / TOGETHER_SECONDS) * TOGETHER_SECONDS
    const sid = `s${String(since)}u${String(last)}`
    groups.set(sid, [...(groups.get(sid) ?? []), `*:${session}`])
  }
  const document: z.infer<typeof Document> = {
    Version: '2012-10-17',
    Statement: [...groups].map(([sid, patterns]) => ({
      ...{ Sid: sid, Effect: 'Deny', Action: '*', Resource: '*' },
      Condition: { StringLike: { 'aws:userid': patterns } },
    })),
  }
  const text = JSON.stringify(document)
  if (text.length > CHARACTERS_MAX) throw new RoleError('the role has no room for more denials')
  return text
}

/**
 * What is to stand there: what does and has not ended, and what is new. `null`: it all stands there.
 *
 * @param settledSeconds after which it does not matter any more since when
 */
export function withNew(
  standing: readonly Denial[],
  added: readonly Omit<Denial, 'since'>[],
  { now, settledSeconds }: { readonly now: number; readonly settledSeconds: number },
): Denial[] | null {
  const wanted = new Map<string, Denial>()
  for (const denial of standing.filter(({ until }) => until > now)) {
    const since = denial.since + settledSeconds <= now ? 0 : denial.since
    wanted.set(denial.session, { ...denial, since })
  }
  const fresh = added.filter(({ session, until }) => until > (wanted.get(session)?.until ?? 0))
  if (fresh.length === 0) return null
  for (const { session, until } of fresh) {
    const { since = now, until: before = 0 } = wanted.get(session) ?? {}
    wanted.set(session, { session, since, until: Math.max(until, before) })
  }
  return [...wanted.values()]
}
