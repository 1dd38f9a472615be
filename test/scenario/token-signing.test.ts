/** A broker that signs sessions, decisions and credentials with keys in a token, and is rotated into it and out of it. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { textIn } from '../../src/cli/member.ts'
import { AUDIENCE } from '../../src/cli/dev/trust.ts'
import { type JsonObject, parseTrusted } from '../../src/domain/json.ts'
import { procura } from '../cli/run.ts'
import { aSoftHsm, PIN, whyNoSoftHsm } from '../parts/softhsm.ts'
import { freshDatabase, freshTarget } from '../pg/database.ts'
import { startBroker } from './broker.ts'
import { aHouse, aRun, callers, eventually, REFUND, REFUNDING } from './house.ts'

vi.setConfig({ testTimeout: 120_000 })
const hsm = whyNoSoftHsm === null ? await aSoftHsm() : null
afterAll(() => hsm?.end())
const why = whyNoSoftHsm === null ? '' : `, not run: ${whyNoSoftHsm}`
const SETS = ['sessions', 'decisions', 'credentials'] as const

async function aPlace() {
  const [database, target] = [await freshDatabase(), await freshTarget()]
  const shop = { url: target.url, database: target.name, ending: target.role('') }
  const home = await aHouse({ databaseUrl: database.url, shop })
  const env = { ...home.env, ...hsm?.env, PROCURA_SIGNER: hsm?.signer ?? '' }
  const keys = async (...args: string[]) => {
    const ran = await procura(['keys', ...args], { env })
    expect(ran.code, ran.stderr).toBe(0)
    expect(ran.stdout + ran.stderr).not.toContain(PIN)
    return ran.stdout
  }
  const textOf = (set: string) => readFileSync(join(home.keysDir, `${set}.json`), 'utf8')
  return { database, home, env, keys, textOf }
}

const kidOf = (token: string) =>
  textIn(
    parseTrusted(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as JsonObject,
    'kid',
  )

describe.skipIf(hsm === null)(`a broker that signs in a token${why}`, () => {
  let place: Awaited<ReturnType<typeof aPlace>>
  beforeAll(async () => {
    place = await aPlace()
  })

  it('does not start without its key, or with a wrong PIN', async () => {
    const { home, env, keys, textOf } = place
    await keys('rotate', ...SETS, '--to', 'token', '--in', '6')
    for (const set of SETS) expect(textOf(set)).toContain(`pkcs11:object=procura-${set};id=`)
    const { PROCURA_SIGNER: signer } = env
    const [lost, pin] = [join(home.dataDir, 'lost'), join(home.dataDir, 'pin')]
    cpSync(home.keysDir, lost, { recursive: true })
    const other = textOf('credentials').replace(/id=%..%../, 'id=%00%00')
    writeFileSync(join(lost, 'credentials.json'), other)
    writeFileSync(pin, '0000', { mode: 0o600 })
    const misled = { ...env, PROCURA_SIGNER: signer.replace(/file:.*$/, `file:${pin}`) }
    await expect(startBroker({ ...env, PROCURA_KEYS: lost })).rejects.toThrow(
      /the token has no private key of label procura-credentials and CKA_ID 0000/,
    )
    // Not beside the other: SoftHSM was seen not to find a token at which a wrong PIN was being tried.
    const refused = startBroker(misled)
    await expect(refused).rejects.toThrow('the token refused the PIN')
    await expect(refused).rejects.not.toThrow(/refused the PIN[^]*refused the PIN/)
  })

  it('fails no call while its keys go there and back, and issues nothing while the token is away', async () => {
    const { database, home, env, keys } = place
    const broker = await startBroker(env)
    const by = callers(home, broker.issuer)
    const { client } = await aRun(by.as('kim'), broker.issuer, { ...REFUNDING, max_uses: 1000 })
    const published = createRemoteJWKSet(
      new URL(`${broker.issuer}/.well-known/jwks/credentials.json`),
      { cooldownDuration: 0 },
    )
    const signedBy = new Set<string>()
    const mint = async () => {
      const { body } = await client.requestCredential({
        tool: 'payments.refund',
        arguments: REFUND,
      })
      const token = textIn(body['credential'] as JsonObject, 'token')
      await jwtVerify(token, published, { audience: AUDIENCE })
      await by.service.post('/v1/redemptions', {
        ...{ token, tool: 'payments.refund', proof_checked: true },
        args_hash: textIn(body, 'args_hash'),
      })
      signedBy.add(kidOf(token))
    }
    const until = async (kid: string) => {
      const mintAndLook = async () => {
        await mint()
        await pause(50)
        return signedBy.has(kid)
      }
      await eventually(`${kid} signs`, mintAndLook, 60)
    }
    const [, there = ''] = /(cdp-\S+) in the token/.exec(await keys('list')) ?? []
    await mint()
    await until(there)

    const ready = async () => (await fetch(`${broker.issuer}/readyz`)).json()
    const alive = async () =>
      (await database.query(`select from procura.lease where state in ('minting', 'active')`))
        .length
    hsm?.withdraw()
    try {
      const refused = { status: 503, problem: { evaluation: { unavailable_input: 'keys' } } }
      await expect(mint()).rejects.toMatchObject(refused)
      await eventually('red', async () => ((await ready()) as JsonObject)['failing'] === 'keys')
      expect(await alive()).toBe(0)
    } finally {
      hsm?.putBack()
    }
    const rotating = keys('rotate', ...SETS, '--to', 'file', '--in', '5')
    await eventually('green', async () => !('failing' in ((await ready()) as JsonObject)))
    await mint()

    const told = await rotating
    await until(/made +(cdp-\S+), in credentials.json/.exec(told)?.[1] ?? '')
    const said = broker.stdout() + broker.stderr()
    expect(said).toMatch(/"TokenProblem: [^"]+","msg":"a key of this side cannot be used"/)
    expect(said).not.toContain(PIN)
  })
})
