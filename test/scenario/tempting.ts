/** Two of those who answer, over one database, with a tool among theirs that is a canary. */
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { textIn } from '../../src/cli/member.ts'
import { sha256 } from '../../src/domain/digest.ts'
import { canonical, type JsonObject } from '../../src/domain/json.ts'
import { seenOf } from './alike.ts'
import { startBalancer } from './balancer.ts'
import type { Run } from './house.ts'
import { startReplicas } from './replicas.ts'
import type { Place } from './shapes.ts'
import { aSplit, startSplit } from './two-processes.ts'

export interface Setting {
  readonly issuer: string
  /** Whoever is asked for credentials: ports. */
  readonly doors: readonly number[]
  readonly stderr: () => string
  /** Whoever trips: ports. */
  readonly deciding: readonly number[]
}

/** Two replicas on one database. */
export async function twoBrokers({ home }: Place): Promise<Setting> {
  const balancer = await startBalancer()
  const brokers = await startReplicas(home, { ...home.env, PROCURA_ISSUER: balancer.origin })
  const doors = brokers.map(({ port }) => port)
  balancer.to(...doors)
  const stderr = () => brokers.map((it) => it.stderr() + it.stdout()).join('')
  return { issuer: balancer.origin, doors, deciding: doors, stderr }
}

/** One that decides, and two that deliver. */
export async function twoDelivering({ home, database }: Place): Promise<Setting> {
  const split = await startSplit(await aSplit(database, home), 2)
  const { issuer, pdp, cdps } = split
  const stderr = () => split.stderr() + split.stdout()
  return { issuer, doors: cdps.map(({ port }) => port), deciding: [pdp.port], stderr }
}

/** Two tools that differ in their names, and in that one is a canary, and permitted by a rule. */
export function plant(policies: string): void {
  const declared = (name: string, more: string) => `name: ${name}
title: The master credential
target: payments
connector: jwt
groups: [payments]
risk: high
sender_constraint: dpop
arguments: { type: object, required: [note], properties: { note: { type: string, maxLength: 64 } } }
facts: { kind: arguments, fields: { note: note } }
grant: { audience: "https://payments.example" }
${more}
`
  const tool = (name: string) => join(policies, 'tools', `${name}.yaml`)
  writeFileSync(tool('payments.master1'), declared('payments.master1', 'canary: true'))
  writeFileSync(tool('payments.master2'), declared('payments.master2', ''))
  writeFileSync(
    join(policies, 'masters.cedar'),
    `@id("masters1") permit (principal, action == Action::"payments.master1", resource);
    @id("masters2") permit (principal, action == Action::"payments.master2", resource)
    when { context.purpose == "reporting" };`,
  )
}

/** One request at this very process: all that comes back, without what differs from call to call. */
export async function asked(
  { issuer, port }: { readonly issuer: string; readonly port: number },
  { token, key }: Pick<Run, 'key'> & { readonly token: string },
  asking: JsonObject,
  path = '/v1/credentials',
) {
  const body = canonical(asking)
  const send = async (nonce: JsonObject) => {
    const proof = {
      ...{ jti: randomUUID(), htm: 'POST', htu: issuer + path, ...nonce },
      ...{ iat: Math.floor(Date.now() / 1000), ath: sha256(token), body_sha256: sha256(body) },
    }
    const dpop = key.sign('dpop+jwt', proof, { jwk: key.publicJwk })
    const own = { authorization: `DPoP ${token}`, dpop, 'idempotency-key': randomUUID() }
    const headers = { ...own, 'content-type': 'application/json' }
    const url = `http://127.0.0.1:${String(port)}${path}`
    return await fetch(url, { method: 'POST', headers, body })
  }
  const nonce = (await send({})).headers.get('dpop-nonce')
  return await seenOf(await send({ nonce }))
}

export const tokenOf = async ({ client, key }: Run) => ({
  ...{ key, token: textIn(await client.connect(), 'access_token') },
})
