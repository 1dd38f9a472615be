/** Where the command line finds the broker, and who it is when it asks. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { heldBy } from '../chain/sign.ts'
import { type Client, createClient } from '../client/client.ts'
import { importKey, type Key } from '../client/key.ts'
import { type Caller, createCaller } from '../client/person.ts'
import { exchange } from '../client/wire.ts'
import { clientSettings } from '../config.ts'
import { type JsonObject, parseTrusted } from '../domain/json.ts'
import { CommandError, EXIT } from './exit.ts'

/** What `procura dev` leaves for the commands beside it. */
export interface LocalState {
  readonly issuer: string
  /** The stand-in identity provider; absent when people sign in elsewhere. */
  readonly people?: string
}

const STATE_FILE = 'local.json'

export function saveState(dataDir: string, state: LocalState): void {
  mkdirSync(dataDir, { recursive: true })
  writeFileSync(join(dataDir, STATE_FILE), `${JSON.stringify(state, null, 2)}\n`)
}

/** The issuer of the last `procura dev` in this folder. */
export function lastIssuer(dataDir: string): string | null {
  const issuer = readJsonFile(join(dataDir, STATE_FILE))?.['issuer']
  return typeof issuer === 'string' ? issuer : null
}

export function readState(): LocalState {
  const { url, dataDir } = clientSettings()
  const local = readJsonFile(join(dataDir, STATE_FILE))
  const issuer = url ?? local?.['issuer']
  if (typeof issuer !== 'string') {
    throw new CommandError(
      'no broker is known here: start one with `npm start`, or set PROCURA_URL to its issuer',
      EXIT.usage,
    )
  }
  const people = local?.['people']
  return typeof people === 'string' ? { issuer, people } : { issuer }
}

/**
 * Calls as a person: with PROCURA_TOKEN where people sign in elsewhere, else with a token of the
 * stand-in identity provider for `--as` (or PROCURA_AS).
 */
export function asPerson(name: string | undefined, fallback: string): Caller {
  const { token, as } = clientSettings()
  const { issuer, people } = readState()
  if (token !== null) return createCaller(issuer, () => token.reveal())
  if (people === undefined) {
    throw new CommandError('who are you? set PROCURA_TOKEN to a token of your issuer', EXIT.usage)
  }
  const person = name ?? as ?? fallback
  return createCaller(issuer, () => tokenOf(people, person, issuer))
}

async function tokenOf(people: string, person: string, audience: string): Promise<string> {
  const { body } = await exchange({
    ...{ method: 'POST', url: `${people}/token`, timeoutMs: 5000 },
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ person, audience }),
  })
  const { access_token: token } = body
  if (typeof token !== 'string') throw new CommandError(`no token for ${person}`)
  return token
}

/**
 * An agent whose key lies in the data folder, as `procura dev` and `agent create` leave it; under what
 * PROCURA_DELEGATION hands on, where that is for this agent.
 */
export function asAgent(name: string | undefined): { client: Client; id: string; name: string } {
  const { agent: fallback, delegation, dataDir } = clientSettings()
  const { issuer } = readState()
  const holder = delegation === null ? null : holderOf(delegation)
  const chosen = name ?? (holder === null ? fallback : agentNamed(holder, dataDir))
  const { id, key } = readAgent(chosen)
  const chain = delegation !== null && holder === id ? { chain: delegation } : {}
  const assertion = () => selfAssertion(id, key, issuer)
  return { client: createClient({ issuer, key, assertion, ...chain }), id, name: chosen }
}

/** Whom the last hop names. */
function holderOf(chain: string): string {
  const held = heldBy(chain.split('~'))
  if (held.ok) return held.held.clientId
  throw new CommandError(`PROCURA_DELEGATION is no chain: ${held.detail}`, EXIT.usage)
}

function agentNamed(id: string, dataDir: string): string {
  const folder = join(dataDir, 'agents')
  const files = existsSync(folder) ? readdirSync(folder) : []
  const file = files.find((it) => readJsonFile(join(folder, it))?.['id'] === id)
  if (file !== undefined) return file.replace(/\.json$/, '')
  const what = `PROCURA_DELEGATION is for ${id}, whose key is not here`
  throw new CommandError(`${what}: it is of no use to anybody else`, EXIT.usage)
}

/** `private_key_jwt`: signed by the key that the agent was registered with. */
export function selfAssertion(id: string, key: Key, issuer: string) {
  const now = Math.floor(Date.now() / 1000)
  const jti = crypto.randomUUID()
  const claims = { iss: id, sub: id, aud: issuer, iat: now, exp: now + 120, jti }
  return { type: 'jwt-bearer', token: key.sign('JWT', claims) } as const
}

export function agentFile(dataDir: string, name: string): string {
  return join(dataDir, 'agents', `${name}.json`)
}

export function saveAgent(dataDir: string, name: string, agent: { id: string; key: Key }): void {
  mkdirSync(join(dataDir, 'agents'), { recursive: true, mode: 0o700 })
  const text = JSON.stringify({ id: agent.id, key: agent.key.exportJwk() })
  writeFileSync(agentFile(dataDir, name), text, { mode: 0o600 })
}

/** Refuses a name whose key file would lie elsewhere, or would take the place of another agent's. */
export function freeForAgent(dataDir: string, name: string): void {
  if (!/^[\p{L}\p{N}_][\p{L}\p{N} ._-]*$/u.test(name)) {
    throw new CommandError(
      'the name is the name of a key file too: letters, digits, spaces, “.”, “_” and “-”',
      EXIT.usage,
    )
  }
  const file = agentFile(dataDir, name)
  if (existsSync(file)) {
    throw new CommandError(`${file} holds the key of an agent: take another name`, EXIT.usage)
  }
}

export function readAgent(
  name: string,
  dataDir = clientSettings().dataDir,
): { id: string; key: Key } {
  const kept = readJsonFile(agentFile(dataDir, name))
  if (kept === null || typeof kept['id'] !== 'string') {
    throw new CommandError(
      `there is no agent ${name} here: make one with \`procura agent create ${name}\``,
      EXIT.usage,
    )
  }
  return { id: kept['id'], key: importKey(kept['key'] as JsonObject) }
}

function readJsonFile(file: string): JsonObject | null {
  try {
    return parseTrusted(readFileSync(file, 'utf8')) as JsonObject
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw new CommandError(`${file} cannot be read`, EXIT.usage)
  }
}
