/** A broker whose seal is in a token: it mints while the token is there, and says when it is not. */
import { writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { procura } from '../cli/run.ts'
import { aSoftHsm, PIN, whyNoSoftHsm } from '../parts/softhsm.ts'
import { freshDatabase, freshTarget } from '../pg/database.ts'
import { startBroker } from './broker.ts'
import { aHouse, aRun, callers, COUNT, eventually, READING } from './house.ts'

vi.setConfig({ testTimeout: 60_000 })
const hsm = whyNoSoftHsm === null ? await aSoftHsm() : null
afterAll(() => hsm?.end())
const why = whyNoSoftHsm === null ? '' : `, not run: ${whyNoSoftHsm}`

async function aPlace() {
  const [database, target] = [await freshDatabase(), await freshTarget()]
  const shop = { url: target.url, database: target.name, ending: target.role('') }
  const home = await aHouse({ databaseUrl: database.url, shop })
  return { home, env: { ...home.env, ...hsm?.env, PROCURA_SEAL: hsm?.uri('seal') ?? '' } }
}

describe.skipIf(hsm === null)(`a broker with its seal in a token${why}`, () => {
  it('delivers nothing while the token is away, says so, and goes on when it is back', async () => {
    const { home, env } = await aPlace()
    for (const what of [['rotate', 'seal'], ['rewrap']]) {
      const ran = await procura(['keys', ...what], { env })
      expect(ran.code, ran.stderr).toBe(0)
    }
    const broker = await startBroker(env)
    const by = callers(home, broker.issuer)
    const run = await aRun(by.as('ana'), broker.issuer, READING)
    const ask = () => run.client.requestCredential({ tool: 'sql.query', arguments: { sql: COUNT } })
    const ready = async () => {
      const answer = await fetch(`${broker.issuer}/readyz`)
      return { status: answer.status, ...((await answer.json()) as object) }
    }
    expect((await ask()).status).toBe('active')
    expect(await ready()).toMatchObject({ status: 'ok' })

    hsm?.withdraw()
    try {
      await eventually('red', async () => 'failing' in (await ready()))
      expect(await ready()).toMatchObject({ failing: 'keys' })
      await expect(ask()).rejects.toMatchObject({ status: 503 })
    } finally {
      hsm?.putBack()
    }
    await eventually('green', async () => !('failing' in (await ready())))
    expect((await ask()).status).toBe('active')
    const said = broker.stdout() + broker.stderr()
    expect(said).toMatch(/the token that is named is not there/)
    expect(said).not.toContain(PIN)
  })

  it('does not start with a wrong PIN, and shows it once, whatever the number of workers', async () => {
    const { env } = await aPlace()
    const file = hsm?.pinFile ?? ''
    writeFileSync(file, '0000')
    try {
      const started = startBroker(env, ['--workers', '2'])
      await expect(started).rejects.toThrow('the token refused the PIN')
      await expect(started).rejects.not.toThrow(/refused the PIN[^]*refused the PIN/)
    } finally {
      writeFileSync(file, `${PIN}\n`)
    }
  })
})
