/** The deciding process. It holds nothing that a target would accept, and opens nothing that does. */
import { createDeciding, type Deciding } from './deciding.ts'
import { BrokerError } from './domain/problems.ts'
import type { Presented } from './domain/request.ts'
import { baseFront, healthOf, limitsOf, pdpFront } from './front.ts'
import { createPdpApp } from './http/app.ts'
import type { BaseFront } from './http/front.ts'
import { createCallers } from './http/limits.ts'
import { readCredentialRequest } from './http/routes/credentials.ts'
import { createShownProofs } from './identity/shown-proof.ts'
import { endListening, listenAt } from './listening.ts'
import { createListener, type Listener } from './peer/answering.ts'
import type { Answering } from './peer/questions.ts'
import { createShared, type Half, type House } from './house.ts'
import type { PdpSlices } from './slices.ts'

/** Whoever has not been heard of for this long is told as missing. */
const SILENT_MS = 10_000

/** @throws Error when an issuer or a service cannot be used as it is configured */
export async function createPdpHouse(slices: PdpSlices): Promise<House> {
  const { config, log, pools } = slices
  const { peer } = config
  if (peer?.role !== 'pdp')
    throw new TypeError('the deciding process needs to know where to listen')
  const shared = createShared(slices)
  // The other process sees to it within a second, by looking: nobody has to be told.
  const deciding = await createDeciding(slices, shared, () => undefined)
  const { pdp, signer, identity, refusals } = deciding
  // Whichever way somebody comes, it is the same somebody.
  const limits = { ...limitsOf(config), callers: createCallers(limitsOf(config)) }
  const refused: BaseFront['refused'] = (...it) => {
    refusals.count(...it)
  }
  const health = healthOf(
    slices,
    shared,
    {
      ...{ pool: pools.front, others: [pools.pdp] },
      ...{ isPolicyHealthy: () => pdp.isHealthy(), signedAt: () => signer.signedAt() },
      areKeysThere: () => deciding.areKeysThere(),
    },
    () => (listener.silentMs() > SILENT_MS ? ['peer'] : []),
  )
  const listener = createListener({
    ...{ tls: peer, log, meter: shared.metrics, busyMax: 4 * config.concurrentMax },
    ...{ limit: limits.callers, nonce: () => identity.currentNonce(), refused },
    track: (work) => shared.running.track(work),
    answering: answeringOf(slices, deciding, health),
  })
  const front = { ...pdpFront(slices, deciding), ...baseFront(slices, shared, refused), limits }
  const app: House['app'] = (seen) => createPdpApp({ ...front, ...seen })
  const listening = listeningHalf(listener, peer.listen)
  return { shared, health, app, halves: [deciding.half, listening] }
}

/** The line's own listener. */
export function listeningHalf(
  { server }: Listener,
  at: { readonly host: string; readonly port: number },
): Half {
  return {
    chores: [],
    async begin() {
      await listenAt(server, at)
      return () => endListening(server, 0)
    },
    drain(unusedMs) {
      server.prependListener('request', (_req, res) => res.setHeader('Connection', 'close'))
      return endListening(server, unusedMs)
    },
  }
}

/** The deciding side, for whoever hands on what was presented elsewhere. */
function answeringOf(
  { config, clock, pools }: PdpSlices,
  { decider, identity, refusals }: Deciding,
  health: BaseFront['health'],
): Answering {
  const checkProof = createShownProofs({ tenant: config.tenant, pool: pools.front, clock })
  return {
    // A proof says where it was sent. What was sent elsewhere is no request for a credential.
    async decide(presented) {
      if (!isForCredential(presented)) throw new BrokerError('malformed_request')
      return await decider.decide(presented, () => readCredentialRequest(presented))
    },
    async authenticate(presented) {
      const { session, jkt } = await identity.authenticate(presented)
      return { session, jkt }
    },
    async service(presented, assertion) {
      const { name, audience, tokenHash } = await identity.service(presented, assertion)
      return { name, audience, tokenHash }
    },
    checkProof,
    refused(counts) {
      for (const { face, code, caller, count } of counts) refusals.count(face, code, caller, count)
      return Promise.resolve()
    },
    async ready() {
      const { failing } = await health.ready()
      return { failing }
    },
  }
}

const isForCredential = ({ method, path }: Presented) =>
  method === 'POST' && path === '/v1/credentials'
