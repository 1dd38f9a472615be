/** The line goes dead between the question and the answer. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import { Unreachable } from '../../src/client/errors.ts'
import { freshDatabase, freshTarget } from '../pg/database.ts'
import { aHouse, aRun, callers, COUNT, eventually, READING } from './house.ts'
import { type Shape, SHAPES } from './shapes.ts'

const lines: Server[] = []
const sockets = new Set<Socket>()
afterAll(() => {
  for (const socket of sockets) socket.destroy()
  for (const line of lines) line.close()
})

/**
 * A line to the broker that can be told to go dead once a request for a credential has gone through; or
 * to hold the next look at one, make it a long poll, and send it right before the next such request.
 */
async function aFrailLine() {
  let upstream = 0
  let isFrail = false
  let ahead: { look: Buffer | null } | null = null
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
      const text = bytes.toString('latin1')
      if (ahead !== null && text.startsWith('GET /v1/credentials/')) {
        ahead.look = Buffer.from(text.replace(' HTTP/1.1', '?wait=30 HTTP/1.1'), 'latin1')
        return
      }
      const first = text.startsWith('POST /v1/credentials') ? ahead?.look : undefined
      far.write(first ? Buffer.concat([first, bytes]) : bytes, () => {
        if (isFrail && text.includes('"sql.query"')) far.destroy()
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
    holdLook: () => (ahead = { look: null }),
    isHeld: () => Promise.resolve(ahead?.look != null),
    cut: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}

const ASK = { tool: 'sql.query', arguments: { sql: COUNT } }

async function aRunOverALine(start: Shape['start']) {
  const [database, target, line] = [await freshDatabase(), await freshTarget(), await aFrailLine()]
  const shop = { url: target.url, database: target.name, ending: target.role('') }
  const home = await aHouse({ databaseUrl: database.url, shop })
  const broker = await start({ home, database }, { PROCURA_ISSUER: line.origin })
  line.to(broker.port)
  const { client } = await aRun(callers(home, line.origin).as('ana'), line.origin, READING)
  await client.connect()

  const leaves = async () => {
    const found = await database.query<{ event_type: string }>(
      `select event_type from ledger.leaf where event_type like 'issuance%'
       or event_type = 'credential_ended' order by index`,
    )
    return found.map(({ event_type: type }) => type)
  }
  const endOfTheLease = async () => {
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
  }
  return { line, client, leaves, endOfTheLease }
}

describe.each(SHAPES)('as $shape', ({ start }) => {
  it('[DEL-23] a credential whose answer got lost is ended at its target, and on record as undelivered', async () => {
    const { line, client, leaves, endOfTheLease } = await aRunOverALine(start)
    line.goDead()
    await expect(client.requestCredential(ASK)).rejects.toThrow(Unreachable)
    await endOfTheLease()
    expect(await leaves()).toEqual(['issuance', 'credential_ended'])
  })
})

// What stands before two processes has a connection of its own for each request.
describe.each(SHAPES.slice(0, 1))('as $shape', ({ start }) => {
  it('[DEL-23] a credential is ended also where its answer waited for another on the same connection', async () => {
    const { line, client, leaves, endOfTheLease } = await aRunOverALine(start)
    const { id = '' } = (await client.requestCredential(ASK)) as { id?: string }
    line.holdLook()
    const looked = client.credential(id).catch((error: unknown) => error)
    await eventually('the look', line.isHeld)
    const asked = client.requestCredential(ASK).catch((error: unknown) => error)
    await eventually('the second issuance', async () => (await leaves()).length === 2)
    line.cut()
    for (const lost of [looked, asked]) expect(await lost).toBeInstanceOf(Unreachable)
    await endOfTheLease()
    expect(await leaves()).toEqual(['issuance', 'issuance', 'credential_ended'])
  })
})
