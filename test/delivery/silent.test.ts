import { DatabaseError } from 'pg'
import { expect, it } from 'vitest'
import { Silent } from '../../src/delivery/connector.ts'
import { blurred } from '../../src/delivery/connectors/postgres/admin.ts'

const system = (code: string) => Object.assign(new Error('connect'), { code })
const saidBy = (code: string) => Object.assign(new DatabaseError('no', 2, 'error'), { code })

it.each<[string, Error]>([
  ['refuses connections', system('ECONNREFUSED')],
  ['has no address', system('ENOTFOUND')],
  ['breaks the connection', system('ECONNRESET')],
  ['does not take one in time', new Error('timeout expired')],
  ['goes away meanwhile', new Error('Connection terminated unexpectedly')],
  ['has no answer in time', new DOMException('late', 'TimeoutError')],
])('a PostgreSQL is silent that %s', (_what, error) => {
  expect(blurred(error)).toBeInstanceOf(Silent)
})

it.each(['42501', '28P01', '3D000', '55P03', '53300'])('one that says %s has answered', (code) => {
  const told = blurred(saidBy(code))
  expect(told).not.toBeInstanceOf(Silent)
  expect(told.message).toBe(`The target: ${code}`)
})
