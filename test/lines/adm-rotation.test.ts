/** Signing keys are changed step by step, on replicas that change one after the other. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it, vi } from 'vitest'
import { createKeys } from '../../src/keys.ts'
import { startBroker } from '../scenario/broker.ts'
import { type Adaptor, type Agent, createAdaptor, memberOf } from './adaptor.ts'
import { exchange } from './wire.ts'
import { ISSUER, startTwo } from './world.ts'

vi.setConfig({ testTimeout: 90_000 })

/** What a replica has in each step: it signs with the first, and takes the others. */
const STEPS = [['old'], ['old', 'new'], ['new', 'old'], ['new']] as const
type Name = (typeof STEPS)[number][number]
const SETS = ['sessions.json', 'credentials.json']

let w: Adaptor
let agent: Agent
let start: (names: readonly Name[]) => Promise<{ readonly port: number }>

beforeAll(async () => {
  const { home, keys, brokers } = await startTwo({})
  const other = join(home.dataDir, 'new-keys')
  await createKeys(other)
  const folders = { old: home.keysDir, new: other }
  const ports = [brokers[0].port]
  start = async (names) => {
    const own = join(home.dataDir, `keys-${names.join('-')}`)
    cpSync(home.keysDir, own, { recursive: true })
    for (const set of SETS) {
      const all = names.map((name) => onlyKeyIn(join(folders[name], set)))
      writeFileSync(join(own, set), JSON.stringify({ keys: all }), { mode: 0o600 })
    }
    return await startBroker({
      ...{ ...home.env, PROCURA_ISSUER: ISSUER, PROCURA_KEYS: own },
      PROCURA_CHECKPOINTS: join(own, 'checkpoints'),
    })
  }
  for (const names of STEPS.slice(1)) ports.push((await start(names)).port)

  let nonce = ''
  w = createAdaptor({
    ...{ issuer: ISSUER, keys, nonce: () => nonce },
    async send(sending, at = 0) {
      const answer = await exchange(ports[at] ?? 0, sending, at)
      nonce = answer.headers.get('dpop-nonce') ?? nonce
      return answer
    },
  })
  await w.send({ method: 'POST', path: '/v1/credentials', headers: [['DPoP', 'x']] })
  agent = await w.anAgent()
}, 240_000)

function onlyKeyIn(file: string): unknown {
  const { keys } = JSON.parse(readFileSync(file, 'utf8')) as { keys: unknown[] }
  expect(keys).toHaveLength(1)
  return keys[0]
}

/** A credential for a session that `from` opened, asked for at `at`. */
const credential = async (from: number, at: number) =>
  await w.CR(agent, { st: await w.ST(agent, { at: from }), at })

it('[ADM-11] no valid request fails between a step and the next, whichever replica it meets', async () => {
  for (const [n] of STEPS.slice(1).entries()) {
    for (const [from, at] of [
      [n, n + 1],
      [n + 1, n],
      [n + 1, n + 1],
    ] as const) {
      const issued = await credential(from, at)
      expect(issued.status, `step ${String(from)} → ${String(at)}: ${issued.text}`).toBe(201)
      const token = memberOf(
        { ...issued, body: issued.body['credential'] as typeof issued.body },
        'token',
      )
      const other = at === n ? n + 1 : n
      expect((await w.IN(token, { at: other })).body, 'introspected at the other').toMatchObject({
        active: true,
      })
    }
  }
})

it('[ADM-11] a session under a key that was retired is good until then, and 401 from then on', async () => {
  const st = await w.ST(agent, { at: 0 })
  expect((await w.CR(agent, { st, at: 2 })).status).toBe(201)
  const refused = await w.CR(agent, { st, at: 3 })
  expect([refused.status, refused.body['code']]).toEqual([401, 'invalid_token'])
  const published = await w.send({ method: 'GET', path: '/.well-known/jwks/sessions.json' }, 2)
  expect(published.body['keys']).toHaveLength(2)
})

it('[ADM-11] the last key is not retired: a broker without one does not start', async () => {
  await expect(start([])).rejects.toThrow(/sessions\.json holds no key/)
})
