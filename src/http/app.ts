/** The HTTP front: what every request goes through, then the routes, then the one place for refusals. */
import { randomUUID } from 'node:crypto'
import express, { type Express, type RequestHandler, type Response, type Router } from 'express'
import helmet from 'helmet'
import { BrokerError } from '../domain/problems.ts'
import type { Face } from '../domain/request.ts'
import { begin, callOf, pathOf, presentsSession } from './call.ts'
import { checkAddress } from './check-request.ts'
import type { BaseFront, CdpFront, Front, PdpFront } from './front.ts'
import { createGates } from './places.ts'
import { limitCallers, limitSources, type Sources } from './limits.ts'
import { renderError } from './problem.ts'
import { agents } from './routes/agents.ts'
import { approvals } from './routes/approvals.ts'
import { authzen } from './routes/authzen.ts'
import { chains } from './routes/chains.ts'
import { consents } from './routes/consents.ts'
import { credentials } from './routes/credentials.ts'
import { decisions } from './routes/decisions.ts'
import { delegations } from './routes/delegations.ts'
import { docs } from './routes/docs.ts'
import { explain } from './routes/explain.ts'
import { freeze } from './routes/freeze.ts'
import { health } from './routes/health.ts'
import { introspect } from './routes/introspect.ts'
import { leases } from './routes/leases.ts'
import { ledger } from './routes/ledger.ts'
import { proxy } from './routes/proxy.ts'
import { redemptions } from './routes/redemptions.ts'
import { revocations } from './routes/revocations.ts'
import { revoke } from './routes/revoke.ts'
import { token } from './routes/token.ts'
import { wellKnown } from './routes/well-known.ts'

/** The whole front over what it was handed. It knows no part of the house by name. */
export function createApp(front: Front): Express {
  return appOf(front, [...routersOf(DELIVERING, front), ...routersOf(DECIDING, front)])
}

/** The deciding side alone: what the other serves is not there. */
export function createPdpApp(front: PdpFront): Express {
  return appOf(front, routersOf(DECIDING, front))
}

/** The delivering side alone. */
export function createCdpApp(front: CdpFront): Express {
  return appOf(front, routersOf(DELIVERING, front))
}

/** Whoever answers with a secret, or passes one on, has held it. */
const DELIVERING = [credentials, proxy, redemptions]
const DECIDING = [
  ...[explain, token, introspect, revoke, authzen, delegations, chains, approvals, decisions],
  ...[agents, consents, revocations, freeze, leases, ledger, wellKnown, docs],
]

const routersOf = <F>(routes: readonly ((front: F) => Router)[], front: F) =>
  routes.map((route) => route(front))

function appOf(front: BaseFront, routers: readonly Router[]): Express {
  const app = express()
  app.disable('x-powered-by').disable('etag')
  app.enable('case sensitive routing').enable('strict routing')
  app.set('query parser', 'simple').set('trust proxy', false)
  // What our own last handler cannot answer, Express answers: without telling what was thrown.
  app.set('env', 'production')

  const sources = limitSources(front.limits)
  const gates = createGates(front.limits.concurrentMax)
  app.use(beginning(front, sources), headers, (req, _res, next) => {
    checkAddress(req)
    next()
  })
  app.use(health(front), sources.limit, limitCallers(front.limits), (_req, res, next) => {
    callOf(res).gates = gates
    next()
  })
  for (const router of routers) app.use(router)
  app.use(() => {
    throw new BrokerError('not_found')
  })
  app.use(renderError(front))
  return app
}

const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/

/** Names the request, and writes its one line in the log when it is over. */
function beginning({ issuer, identity, log, meter }: BaseFront, sources: Sources): RequestHandler {
  return (req, res, next) => {
    const given = req.headers['x-request-id']
    const requestId = typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID()
    const face = faceOf(pathOf(req))
    begin(res, { issuer, requestId, face })
    res.set('X-Request-ID', requestId)
    if (face !== null) res.set('Cache-Control', 'no-store')
    if (presentsSession(req)) res.set('DPoP-Nonce', identity.currentNonce())
    const startedAt = performance.now()
    res.once('close', () => {
      const { route, caller, code, reason } = callOf(res)
      sources.over(callOf(res))
      const status = res.writableFinished ? res.statusCode : 499
      meter.count('procura_requests_total', { route, status: classOf(res) })
      const ms = Math.round((performance.now() - startedAt) * 10) / 10
      const call = { request_id: requestId, method: req.method, route, status, ms }
      const refused = { ...(code && { code }), ...(reason && { reason }) }
      log.info({ ...call, ...(caller && { caller }), ...refused }, 'request')
    })
    next()
  }
}

function faceOf(path: string): Face | null {
  if (path.startsWith('/oauth/')) return 'oauth'
  if (path.startsWith('/access/')) return 'authzen'
  return path.startsWith('/v1/') ? 'native' : null
}

const classOf = (res: Response) => `${String(Math.floor(res.statusCode / 100))}xx`

/** Nothing here is meant to be shown by a browser; the pages loosen this for their own style. */
const headers = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      ...{ defaultSrc: ["'none'"], baseUri: ["'none'"] },
      ...{ formAction: ["'none'"], frameAncestors: ["'none'"] },
    },
  },
  frameguard: { action: 'deny' },
  referrerPolicy: { policy: 'no-referrer' },
})
