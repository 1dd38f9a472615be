/**
 * The protocol-true test server of vault in a process of its own, so that it can be killed: what it knows
 * is in a file before anything is answered.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { Lease, Token, TokenRole } from './vault-state.ts'
import { brokerFor, ENGINE, readerOf } from './vault.ts'
import { aVaultServer } from './vault-server.ts'

/** Longer than a test takes. */
const [LEASE_SECONDS, TOKEN_SECONDS] = [180, 900]

/** As it is kept: times by the clock of the machine, for the process's own begins anew. */
export interface Kept {
  readonly token: string
  readonly tokens: [string, Token][]
  readonly roles: [string, TokenRole][]
  readonly leases: [string, Lease][]
  readonly logins: [string, string][]
}

export interface Told {
  readonly address: string
  /** The broker's. */
  readonly token: string
}

const [file = '', port = '0'] = process.argv.slice(2)
const server = await aVaultServer(ENGINE, Number(port))
const { state, engine, hooks } = server
engine.seconds = LEASE_SECONDS
server.policy('procura-broker', brokerFor('database'))
server.policy('procura-orders', readerOf(ENGINE))
const token = existsSync(file) ? restore() : server.token(['procura-broker'], TOKEN_SECONDS)
hooks.done = keep
keep()
process.send?.({ address: server.address, token } satisfies Told)
process.on('disconnect', () => {
  process.exit()
})

function keep(): void {
  const byTheMachine = <V extends { readonly ends: number }>(map: ReadonlyMap<string, V>) =>
    [...map].map(([id, it]) => [id, { ...it, ends: it.ends + performance.timeOrigin }])
  const kept = {
    ...{ token, tokens: byTheMachine(state.tokens), leases: byTheMachine(state.leases) },
    ...{ roles: [...state.roles], logins: [...state.logins] },
  }
  // Whole, or as it was before.
  writeFileSync(`${file}.next`, JSON.stringify(kept))
  renameSync(`${file}.next`, file)
}

function restore(): string {
  const kept = JSON.parse(readFileSync(file, 'utf8')) as Kept
  const byOurs = <V extends { readonly ends: number }>(map: Map<string, V>, all: [string, V][]) => {
    for (const [id, it] of all) map.set(id, { ...it, ends: it.ends - performance.timeOrigin })
  }
  byOurs(state.tokens, kept.tokens)
  byOurs(state.leases, kept.leases)
  for (const [name, role] of kept.roles) state.roles.set(name, role)
  for (const [name, password] of kept.logins) state.logins.set(name, password)
  return kept.token
}
