/** Holding back a tool, an agent, a sponsor or everything, until an operator lifts it. */
import { Router } from 'express'
import { z } from 'zod'
import type { FreezeScope } from '../../domain/entry.ts'
import { freezeBody } from '../bodies.ts'
import type { PdpFront } from '../front.ts'
import { by, checkKey, personOf } from '../presented.ts'
import { CAUSE, checked, idOf, readObject, TOOL } from '../read.ts'
import { type Handler, serve } from '../serve.ts'

const Scope = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('everything') }),
    z.strictObject({ kind: z.literal('tool'), id: TOOL }),
    z.strictObject({ kind: z.literal('agent'), id: idOf('agt') }),
    z.strictObject({ kind: z.literal('sponsor'), id: idOf('spn') }),
  ])
  .transform((scope): FreezeScope => ({ id: null, ...scope }))
const Body = z.strictObject({
  scope: Scope,
  state: z.enum(['frozen', 'lifted']),
  cause: CAUSE,
  reason: z.string().min(1).max(1000),
})

export function freeze(front: PdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  serve({ router, front, door: 'person' }, '/v1/freeze', { get: list(front), post: change(front) })
  return router
}

function change(front: PdpFront): Handler {
  return async (req, res) => {
    const person = await personOf(front, req, res, ['sponsor', 'operator'])
    checkKey(req)
    const body = readObject(res)
    const { state, ...wanted } = checked(Body, body)
    const act = by(req, res, person, body)
    const frozen =
      state === 'frozen'
        ? await front.revocation.freeze(person, wanted, act)
        : await front.revocation.lift(person, wanted, act)
    if (frozen.isRepeat) res.set('Idempotency-Replayed', 'true')
    res.status(frozen.isNew ? 201 : 200).json(freezeBody(frozen))
  }
}

function list(front: PdpFront): Handler {
  return async (req, res) => {
    const person = await personOf(front, req, res, ['sponsor', 'operator', 'auditor'])
    res.json({ items: (await front.revocation.frozen(person)).map(freezeBody) })
  }
}
