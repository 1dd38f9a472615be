/** From Express' request to what the parts are handed: what was presented, by whom, under which key. */
import type { Request, Response } from 'express'
import { digestOf } from '../domain/digest.ts'
import type { ProvenInstance } from '../domain/instance.ts'
import type { JsonObject } from '../domain/json.ts'
import type { ProvenPerson, ProvenService, Role } from '../domain/person.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Act, Actor, By, Presented, RequestKey } from '../domain/request.ts'
import { callOf, pathOf } from './call.ts'
import type { FrontIdentity } from './front.ts'

/** Of a front, how it is told who calls. */
interface Knowing<How extends keyof FrontIdentity> {
  readonly identity: Pick<FrontIdentity, How>
}

/** What is single-valued has been seen to be single. */
export function presentedBy(req: Request, res: Response): Presented {
  const { body, requestId, face, address, recognised } = callOf(res)
  const { authorization = null, dpop, 'user-agent': userAgent = null } = req.headers
  return {
    method: req.method,
    path: pathOf(req),
    authorization,
    dpop: typeof dpop === 'string' ? dpop : null,
    idempotencyKey: keyIn(req),
    ...{ body, requestId, face: face ?? 'native' },
    ...{ origin: { address, userAgent }, recognised },
  }
}

/** The agent that proved its session; whoever else calls is 401. */
export async function agentOf(
  front: Knowing<'authenticate' | 'actOf'>,
  req: Request,
  res: Response,
) {
  const presented = presentedBy(req, res)
  const instance = await front.identity.authenticate(presented)
  return { instance, act: front.identity.actOf(instance, presented) }
}

/** The person, who has one of these roles: 401, then 403. */
export async function personOf(
  front: Knowing<'person'>,
  req: Request,
  res: Response,
  roles: readonly Role[],
): Promise<ProvenPerson> {
  const person = await front.identity.person(presentedBy(req, res))
  callOf(res).caller = person.person.id
  if (!roles.some((role) => person.person.roles.includes(role))) {
    const detail = `This needs the role ${roles.join(' or ')}`
    throw new BrokerError('role_required', { shown: { detail } })
  }
  callOf(res).recognised({ kind: 'person', id: person.person.id, sponsor: null })
  return person
}

export async function serviceOf(
  front: Knowing<'service'>,
  req: Request,
  res: Response,
  assertion?: string | null,
): Promise<ProvenService> {
  const presented = presentedBy(req, res)
  const service = await front.identity.service(presented, assertion)
  callOf(res).recognised({ kind: 'service', id: service.name, sponsor: null })
  return service
}

/** How the part is told who acts, from where, and under which Idempotency-Key this `body` came. */
export function by(
  req: Request,
  res: Response,
  who: ProvenPerson | ProvenService,
  body: JsonObject | null,
): By {
  const presented = presentedBy(req, res)
  return {
    act: actOf(who, presented),
    origin: presented.origin,
    key: body === null ? null : requestKey(presented, actorOf(who).id, body),
  }
}

export function actOf(who: ProvenPerson | ProvenService, presented: Presented): Act {
  const { requestId, face } = presented
  return { requestId, face, actor: actorOf(who) }
}

function actorOf(who: ProvenPerson | ProvenService): Actor {
  const credentialHash = who.tokenHash
  if ('name' in who) {
    return { kind: 'service', id: who.name, authentication: 'service_assertion', credentialHash }
  }
  const { id, roles } = who.person
  return { kind: 'person', id, roles, authentication: 'person_oidc', credentialHash }
}

function requestKey(
  { method, path, idempotencyKey: key }: Presented,
  caller: string,
  body: JsonObject,
): RequestKey | null {
  if (key === null) return null
  return { caller, route: `${method} ${path}`, key, fingerprint: digestOf(body) }
}

const KEY = /^[A-Za-z0-9._~:+/=-]{8,128}$/

/** Bare, or as a quoted string of RFC 8941. One of a wrong form is kept for `checkKey` to refuse. */
function keyIn(req: Request): string | null {
  const given = req.headers['idempotency-key']
  if (typeof given !== 'string') return null
  return /^"(.*)"$/.exec(given)?.[1] ?? given
}

/** Only where a key is honoured, and only once the caller is known. */
export function checkKey(given: Request | string | null): void {
  const key = typeof given === 'object' && given !== null ? keyIn(given) : given
  if (key !== null && !KEY.test(key)) throw new BrokerError('invalid_idempotency_key')
}

/** Whether somebody proved to be an agent or a person, on routes that serve both. */
export function isInstance(who: ProvenPerson | ProvenInstance): who is ProvenInstance {
  return 'session' in who
}
