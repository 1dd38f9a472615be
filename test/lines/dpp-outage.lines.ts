/** Where it cannot be looked up whether a proof was used, it is not taken. */
import { expect } from 'vitest'
import { line } from './pair.ts'
import { withhold } from './withheld.ts'

line(
  '[DPP-25] without the store of used proofs none is taken, and the answer says what is missing',
  async (w) => {
    const st = await w.ST(w.agent)
    const store = await withhold(w, 'procura.used_proof')
    try {
      for (const at of [0, 1]) {
        const { body, headers } = await w.refused(w.CR(w.agent, { st, at }), {
          ...{ status: 503, code: 'unavailable' },
        })
        const evaluation = { status: 'not_evaluated', unavailable_input: 'replay_store' }
        expect(body['evaluation']).toEqual(evaluation)
        expect(headers.get('retry-after')).toBeTruthy()
        await w.refused(w.TK(w.agent, { at }), { status: 503, error: 'temporarily_unavailable' })
      }
    } finally {
      await store.release()
    }
    for (const at of [0, 1]) await w.accepted(w.CR(w.agent, { st, at }))
  },
  { timeout: 90_000 },
)
