/** What an agent of this example has from the start: the key that it was registered with. */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Client, createClient } from '../../src/client/client.ts' // procura/client, once installed
import { generateKey, importKey } from '../../src/client/key.ts'

/** Where the broker is, and the file with the agent's id and key. */
export interface Place {
  readonly issuer: string
  readonly keyFile: string
}

/** From the environment of this process. */
export function placeOfThisProcess(): Place {
  const { BROKER: issuer, AGENT_KEY_FILE: keyFile } = process.env
  if (issuer === undefined || keyFile === undefined) throw new Error('started by hand? run main.ts')
  return { issuer, keyFile }
}

/** One run of the agent, with a key of its own that never leaves this process. */
export function createRun({ issuer, keyFile }: Place) {
  const kept = JSON.parse(readFileSync(keyFile, 'utf8')) as { id: string; key: object }
  const registered = importKey(kept.key as Parameters<typeof importKey>[0])
  const run = generateKey()
  const assertion = () => {
    const iat = Math.floor(Date.now() / 1000)
    const claims = { iss: kept.id, sub: kept.id, aud: issuer, iat, exp: iat + 120 }
    return {
      type: 'jwt-bearer',
      token: registered.sign('JWT', { ...claims, jti: randomUUID() }),
    } as const
  }
  return {
    agent: kept.id,
    jkt: run.jkt,
    /** Under its own consent, or under what somebody handed on to this run. */
    client: (chain?: string): Client =>
      createClient({ issuer, key: run, assertion, ...(chain === undefined ? {} : { chain }) }),
  }
}
