/** The line goes dead between the question and the answer. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import { Unreachable } from '../../src/client/errors.ts'
import { freshDatabase, freshTarget } from '../pg/database.ts'
import { aHouse, aRun, callers, COUNT, eventually, READING } from './house.ts'
import { SHAPES } from './shapes.ts'

const lines: Server[] = []
const sockets = new Set<Socket>()
afterAll(() => {
  for (const socket of sockets) socket.destroy()
  for (const line of lines) line.close()
})

/** A line to the broker that can be told to go dead once a request for a credential has gone through. */
async function aFrailLine() {
  let upstream = 0
  let isFrail = false
  const server = createServer((near) => {
    const far = connect(upstream, '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        near.destroy()
        far.destroy()
      })
    }
    far.pipe(near)
    near.on('data', (bytes: Buffer) => {
      far.write(bytes, () => {
        if (isFrail && bytes.toString('latin1').includes('"sql.query"')) far.destroy()
      })
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  lines.push(server)
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://localhost:${String(port)}`,
    to: (broker: number) => (upstream = broker),
    goDead: () => (isFrail = true),
  }
}

describe.each(SHAPES)('as $shape', ({ start }) => {
  it('[DEL-23] a credential whose answer got lost is ended at its target, and on record as undelivered', async () => {
    const [database, target, line] = [
      await freshDatabase(),
      await freshTarget(),
      await aFrailLine(),
    ]
    const shop = { url: target.url, database: target.name, ending: target.role('') }
    const home = await aHouse({ databaseUrl: database.url, shop })
    const broker = await start({ home, database }, { PROCURA_ISSUER: line.origin })
    line.to(broker.port)
    const { client } = await aRun(callers(home, line.origin).as('ana'), line.origin, READING)
    await client.connect()

    line.goDead()
    const ask = { tool: 'sql.query', arguments: { sql: COUNT } }
    await expect(client.requestCredential(ask)).rejects.toThrow(Unreachable)

    const lease = await eventually('the end of the lease', async () => {
      const [row] = await database.query<{ state: string; end_reason: string; name: string }>(
        `select state, end_reason, downstream_name as name from procura.lease
       where confirmed_dead_at is not null`,
      )
      return row ?? null
    })
    expect(lease).toMatchObject({ state: 'revoked', end_reason: 'delivery_unknown' })
    const logins = await target.query('select from pg_roles where rolname = $1', [lease.name])
    expect(logins).toHaveLength(0)
    const leaves = await database.query<{ event_type: string }>(
      `select event_type from ledger.leaf where event_type like 'issuance%'
       or event_type = 'credential_ended' order by index`,
    )
    expect(leaves.map((leaf) => leaf.event_type)).toEqual(['issuance', 'credential_ended'])
  })
})
