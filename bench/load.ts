/** A closed loop of callers: each asks for the next credential when it has got the last. */
import { type Client, createClient } from '../src/client/client.ts'
import { generateKey } from '../src/client/key.ts'
import { createCaller } from '../src/client/person.ts'
import { selfAssertion } from '../src/cli/context.ts'
import type { PersonName } from '../src/cli/dev/issuer.ts'
import { textIn } from '../src/cli/member.ts'

/** Runs for each server; a consent to a tool of high risk is for at most 1,000 uses. */
const RUNS = 32
const USES = 1000
const ASK = {
  tool: 'payments.refund',
  arguments: { order_id: 'EU-2026/10231', amount: 900, currency: 'EUR' },
} as const

export interface Driven {
  readonly mints: number
  readonly seconds: number
  /** Milliseconds, of each mint. */
  readonly latencies: readonly number[]
}

/** Fresh runs of one agent, each with its own key, session and consent. */
export async function productClients(
  issuer: string,
  token: (person: PersonName) => string,
): Promise<Client[]> {
  const sponsor = createCaller(issuer, () => token('kim'))
  const registered = generateKey()
  const workload = { kind: 'jwk', jwk: registered.publicJwk }
  const agent = textIn(await sponsor.post('/v1/agents', { name: 'bench-bot', workload }), 'id')
  return await connected(async () => {
    const consent = await sponsor.post('/v1/consents', {
      ...{ agent_id: agent, tools: [ASK.tool], purpose: 'support.refunds', max_uses: USES },
      expires_at: new Date(Date.now() + 3_600_000).toISOString(),
    })
    const assertion = () => selfAssertion(agent, registered, issuer)
    return createClient({ issuer, key: generateKey(), assertion, consent: textIn(consent, 'id') })
  })
}

export async function idealClients(issuer: string): Promise<Client[]> {
  const assertion = () => ({ type: 'jwt-bearer', token: 'none' }) as const
  return await connected(() =>
    Promise.resolve(createClient({ issuer, key: generateKey(), assertion })),
  )
}

async function connected(make: () => Promise<Client>): Promise<Client[]> {
  const clients = await Promise.all(Array.from({ length: RUNS }, make))
  await Promise.all(clients.map((client) => client.connect()))
  return clients
}

/** Drives for so many seconds; every answer must be a credential. The runs take turns. */
export async function drive(
  clients: readonly Client[],
  callers: number,
  seconds: number,
): Promise<Driven> {
  const latencies: number[] = []
  const began = performance.now()
  const end = began + seconds * 1000
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      const own = clients.filter((_client, at) => at % callers === caller)
      for (let turn = 0; performance.now() < end; turn += 1) {
        const sent = performance.now()
        const answer = await own[turn % own.length]?.requestCredential(ASK)
        if (answer?.status !== 'active')
          throw new Error('a mint was not answered with a credential')
        latencies.push(performance.now() - sent)
      }
    }),
  )
  return { mints: latencies.length, seconds: (performance.now() - began) / 1000, latencies }
}
