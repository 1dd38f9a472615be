/** The log, for auditors; its checkpoints and their consistency, for everybody. */
import { Router } from 'express'
import { z } from 'zod'
import type { PdpFront, Inclusion } from '../front.ts'
import { count } from '../page.ts'
import { personOf } from '../presented.ts'
import { idOf, readQuery } from '../read.ts'
import { type Handler, serve } from '../serve.ts'

export function ledger(front: PdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const auditors = { router, front, door: 'person' } as const
  const everybody = { router, front, door: 'public' } as const
  serve(auditors, '/v1/ledger/entries', { get: entries(front) })
  serve(auditors, '/v1/ledger/proof/inclusion', { get: inclusion(front) })
  serve(everybody, '/v1/ledger/proof/consistency', { get: consistency(front) })
  serve(everybody, '/v1/ledger/checkpoint', {
    get: async (_req, res) => {
      res.type('text/plain').send(await front.ledger.checkpoint())
    },
  })
  return router
}

const index = count(0, Number.MAX_SAFE_INTEGER)
const EntriesQuery = z
  .strictObject({
    start: index.default(0),
    limit: count(1, 200).default(50),
    event_type: z
      .string()
      .regex(/^[a-z_]{1,40}$/)
      .optional(),
    subject: z
      .string()
      .regex(/^[a-z]{3}_[0-9a-z]{26}$/)
      .optional(),
  })
  .transform(({ start, limit, event_type: eventType = null, subject = null }) => ({
    ...{ start, limit, eventType, subject },
  }))

function entries(front: PdpFront): Handler {
  return async (req, res) => {
    const person = await personOf(front, req, res, ['auditor'])
    const found = await front.ledger.entries(person, readQuery(EntriesQuery, req))
    const items = found.items.map(({ index: at, leafHash, record, opened }) => ({
      ...{ index: at, leaf_hash: leafHash, record, opened },
    }))
    res.json({ size: found.size, items, next_start: found.nextStart })
  }
}

const InclusionQuery = z
  .strictObject({
    index: index.optional(),
    event_id: idOf('evt').optional(),
    size: index.optional(),
  })
  .refine((query) => (query.index === undefined) !== (query.event_id === undefined), {
    params: { rule: 'exactly one of index and event_id' },
  })
  .transform(({ index: at, event_id: eventId = '', size = null }) => ({
    ...{ leaf: at === undefined ? { eventId } : { index: at }, size },
  }))

function inclusion(front: PdpFront): Handler {
  return async (req, res) => {
    await personOf(front, req, res, ['auditor'])
    const proof = await front.ledger.inclusion(readQuery(InclusionQuery, req))
    if (req.accepts(['application/json', 'text/plain']) === 'text/plain') {
      res.type('text/plain').send(proofFile(proof))
      return
    }
    const { index: at, size, leafHash, hashes, checkpoint } = proof
    res.json({ index: at, size, leaf_hash: leafHash, hashes, checkpoint })
  }
}

/** C2SP tlog-proof: the index, the path, the checkpoint that it leads to. */
function proofFile({ index: at, hashes, checkpoint }: Inclusion): string {
  const lines = ['c2sp.org/tlog-proof@v1', `index ${String(at)}`, ...hashes, '', checkpoint]
  return lines.join('\n')
}

const ConsistencyQuery = z.strictObject({ from: index, to: index })

function consistency(front: PdpFront): Handler {
  return async (req, res) => {
    const { from, to } = readQuery(ConsistencyQuery, req)
    const { hashes, checkpoint } = await front.ledger.consistency(from, to)
    res.json({ from, to, hashes, checkpoint })
  }
}
