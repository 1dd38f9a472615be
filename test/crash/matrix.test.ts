/** A small matrix: each point once, over one broker and over two. The whole one is `npm run hammer -- matrix`. */
import { expect, it } from 'vitest'
import { cellOf, nameOf } from '../../hammer/cells.ts'
import { violationsIn } from '../../hammer/checking.ts'
import { runGroup } from '../../hammer/matrix.ts'
import { POINTS } from '../../hammer/places.ts'

/** A minute on a machine that does nothing else; brokers start slowly on one that does. */
const TIMEOUT_MS = 900_000

/** What a death here leaves behind takes half a minute to be found: the others happen meanwhile. */
const FIRST = ['FP6', 'FP5', 'FP7']
const ORDER = [...FIRST, ...POINTS.filter((point) => !FIRST.includes(point))]
const SEED = 1

// Which broker dies, and at which passage, follows from the seed; the failure tells how to have it again.
it.concurrent.each([1, 2])(
  'a death at each point, over %i processes, breaks no invariant and is healed by nobody [F01–F16]',
  async (processes) => {
    const cells = ORDER.map((point) => cellOf({ point, seed: SEED, processes, kind: 'kill' }))
    const told: string[] = []
    const group = await runGroup(cells, {
      ...{ processes, isPatient: false },
      tell({ cell, violations }) {
        told.push(...violations.map((it) => `${nameOf(cell)}: ${it}`))
      },
    })
    expect(told).toEqual([])
    expect(violationsIn(group.final)).toEqual([])
    expect(group.restarts, 'each death was one').toBe(POINTS.length)
  },
  TIMEOUT_MS,
)
