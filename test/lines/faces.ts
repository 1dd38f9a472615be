/** The places where a stranger's token is believed, each with its key: what holds of form holds at all. */
import type { Holder } from '../identity/signing.ts'
import { brokerKey, forge, type Forged, insideOf } from './forging.ts'
import type { World } from './house.ts'
import type { Kind } from './adaptor.ts'
import type { Answer } from './wire.ts'
import type { JsonObject } from '../../src/domain/json.ts'

export interface Valid {
  readonly holder: Holder
  readonly header: JsonObject
  readonly claims: JsonObject
}

export interface Face {
  readonly name: string
  readonly code: 'invalid_client' | 'invalid_token'
  /** What it answers to a valid token. */
  readonly status: number
  /** A fresh one. */
  readonly valid: (w: World) => Promise<Valid>
  readonly present: (w: World, token: string, at?: number) => Promise<Answer>
  /** Looks keys up by `kid`; the others know one key by the name in the claims. */
  readonly hasKids: boolean
}

/** One agent for each kind of workload, made when first asked for. */
const agents = new WeakMap<World, Map<Kind, ReturnType<World['anAgent']>>>()

export async function agentOf(w: World, kind: Kind) {
  const known = agents.get(w) ?? new Map<Kind, ReturnType<World['anAgent']>>()
  agents.set(w, known)
  const agent = known.get(kind) ?? w.anAgent({ kind })
  known.set(kind, agent)
  return await agent
}

const atTK = (kind: Kind, name: string): Face => ({
  ...{ name: `${name} at the token endpoint`, code: 'invalid_client', status: 200 },
  hasKids: kind !== 'own',
  valid: async (w) => w.validWT(await agentOf(w, kind)),
  present: async (w, wt, at = 0) => w.TK(await agentOf(w, kind), { wt, at }),
})

export const WORKLOADS: readonly Face[] = [
  atTK('own', 'an assertion under an own key'),
  atTK('oidc', 'a workload token'),
  atTK('spiffe', 'a JWT-SVID'),
]
export const SESSION: Face = {
  ...{ name: 'a session', code: 'invalid_token', status: 201, hasKids: true },
  async valid(w) {
    const { header, claims } = insideOf(await w.ST(w.agent))
    return { holder: brokerKey(w.home.keysDir, 'sessions'), header, claims }
  },
  present: (w, st, at = 0) => w.CR(w.agent, { st, at }),
}
export const PERSON: Face = {
  ...{ name: 'a person’s token', code: 'invalid_token', status: 200, hasKids: true },
  valid: (w) => Promise.resolve(w.validPT('kim')),
  present: (w, token, at = 0) => w.asBearer(token, 'GET', '/v1/consents', { at }),
}
export const SERVICE: Face = {
  ...{ name: 'a service’s assertion', code: 'invalid_client', status: 200, hasKids: false },
  valid: (w) => Promise.resolve(w.validSA()),
  present: (w, token, at = 0) => w.IN('eyJ.a.b', { token, at }),
}
export const FACES: readonly Face[] = [...WORKLOADS, SESSION, PERSON, SERVICE]

/** This face's valid token with something changed in it. */
export async function forgedAt(face: Face, w: World, changed: Forged = {}): Promise<string> {
  return forge(await face.valid(w), changed)
}

/** What makes a refusal here fail for the right reason: the same token unchanged is taken. */
export async function isTaken(face: Face, w: World, at = 0): Promise<void> {
  await w.accepted(face.present(w, await forgedAt(face, w), at), face.status)
}

/** Refused on the face's terms; `log` is the cause that only the operator is told. */
export async function isRefused(
  face: Face,
  w: World,
  token: string,
  { log, at = 0 }: { log?: string | undefined; at?: number } = {},
) {
  const cause = log === undefined ? {} : { log }
  await w.refused(face.present(w, token, at), { status: 401, code: face.code, ...cause })
}
