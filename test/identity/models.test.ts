import { beforeAll, describe, expect, it } from 'vitest'
import type { Agent } from '../../src/domain/agent.ts'
import { aHolder } from './signing.ts'
import { aWorld, CI, refusalOf, sharing, type World } from './world.ts'

let world: World
const claimsIn = ({ accessToken }: { accessToken: { reveal(): string } }) =>
  JSON.parse(
    Buffer.from(accessToken.reveal().split('.')[1] ?? '', 'base64url').toString(),
  ) as Record<string, unknown>

describe('the model that a run is on', () => {
  const shared = `${CI}/shared`
  const MODEL = { name: 'opus', tier: 'large' }
  let runs: Agent
  beforeAll(async () => {
    world = await aWorld()
    world.aConsent(await world.anAgent({ kind: 'oidc', issuer: CI, subject: 'repo' }))
    runs = await world.anAgent({ kind: 'oidc', issuer: shared, subject: 'runs' })
    world.aConsent(runs)
  })
  const token = (model?: unknown) =>
    world.ciToken(
      'runs',
      { iss: shared, ...(model !== undefined && { 'https://ci.example/model': model }) },
      sharing,
    )
  const opened = async (assertion: string, form: Record<string, string> = {}) =>
    claimsIn(await world.session(aHolder(), assertion, form))

  it('is attested where its platform says so, and on record as that', async () => {
    const claims = await opened(token(MODEL))
    expect(claims['model']).toEqual({ ...MODEL, basis: 'attested' })
    const leaves = await world.db.query<{ entry: string }>(
      `select entry from ledger.leaf where event_type = 'session_issued' and entry like $1`,
      [`%${String(claims['instance_id'])}%`],
    )
    expect(leaves[0]?.entry).toContain('"basis":"attested"')
  })

  it('is a claim where nobody but the run itself says so', async () => {
    const model = JSON.stringify(MODEL)
    expect((await opened(token(), { model }))['model']).toEqual({ ...MODEL, basis: 'claimed' })
    const other = world.ciToken('repo', { 'https://ci.example/model': MODEL })
    expect(await opened(other)).not.toHaveProperty('model')
  })

  it('cannot be claimed to be another than is attested', async () => {
    const same = JSON.stringify(MODEL)
    expect((await opened(token(MODEL), { model: same }))['model']).toMatchObject({
      basis: 'attested',
    })
    const model = JSON.stringify({ ...MODEL, tier: 'small' })
    const contradicted = world.session(aHolder(), token(MODEL), { model })
    expect(await refusalOf(contradicted)).toBe('invalid_request/invalid_request')
  })

  it.each([
    ['large'],
    [{ name: 'opus' }],
    [{ ...MODEL, basis: 'attested' }],
    [{ name: '', tier: 'x' }],
  ])('is not believed in a form that nobody can read: %j', async (model) => {
    expect(await refusalOf(world.session(aHolder(), token(model)))).toMatch(/^invalid_client/)
  })
})
