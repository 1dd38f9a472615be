/** POST /access/v1/evaluation and /evaluations, for gateways that ask before they let a call through. */
import { type Request, type Response, Router } from 'express'
import { isObject, type JsonObject } from '../../domain/json.ts'
import { BrokerError, PROBLEMS } from '../../domain/problems.ts'
import type { Act } from '../../domain/request.ts'
import { type Evaluated, evaluateOne } from '../authzen.ts'
import { malformed } from '../check-request.ts'
import type { PdpFront } from '../front.ts'
import { actOf, presentedBy, serviceOf } from '../presented.ts'
import { readObject } from '../read.ts'
import { serve } from '../serve.ts'

const ITEMS_MAX = 64

export function authzen(front: PdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const at = { router, front, door: 'service' } as const
  serve(at, '/access/v1/evaluation', {
    post: async (req, res) => {
      const act = await actIn(front, req, res)
      res.json(await evaluateOne(front, act, readObject(res)))
    },
  })
  serve(at, '/access/v1/evaluations', {
    post: async (req, res) => {
      const act = await actIn(front, req, res)
      res.json(await evaluateAll(front, act, readObject(res)))
    },
  })
  return router
}

async function actIn(front: PdpFront, req: Request, res: Response): Promise<Act> {
  return actOf(await serviceOf(front, req, res), presentedBy(req, res))
}

/** Which answer ends a batch early; `null`: none does. */
const SEMANTICS: ReadonlyMap<unknown, boolean | null> = new Map([
  [undefined, null],
  ['execute_all', null],
  ['deny_on_first_deny', false],
  ['permit_on_first_permit', true],
])

/** In order, one after the other. An item that is bad refuses itself and no other. */
async function evaluateAll(front: PdpFront, act: Act, asked: JsonObject): Promise<object> {
  const { evaluations, options = {}, ...defaults } = asked
  if (!isObject(options)) throw malformed('options is not an object')
  const ends = SEMANTICS.get(options['evaluations_semantic'])
  if (ends === undefined) throw malformed('evaluations_semantic is not one that there is')
  if (evaluations !== undefined && !Array.isArray(evaluations)) {
    throw malformed('evaluations is not an array')
  }
  if (evaluations === undefined || evaluations.length === 0) {
    return await evaluateOne(front, act, defaults)
  }
  if (evaluations.length > ITEMS_MAX) throw malformed(`More than ${String(ITEMS_MAX)} evaluations`)
  const answers: Evaluated[] = []
  for (const item of evaluations) {
    const answer = await evaluateItem(front, act, isObject(item) ? { ...defaults, ...item } : null)
    answers.push(answer)
    if (answer.decision === ends) break
  }
  return { evaluations: answers }
}

async function evaluateItem(
  front: PdpFront,
  act: Act,
  item: JsonObject | null,
): Promise<Evaluated> {
  try {
    if (item === null) throw malformed('An evaluation is not an object')
    return await evaluateOne(front, act, item)
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    const [status, title] = PROBLEMS[error.code]
    const message = error.shown.detail ?? title
    return { decision: false, context: { code: error.code, error: { status, message } } }
  }
}
