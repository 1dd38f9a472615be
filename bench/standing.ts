/** Runs of agents at any depth: a consent of its own for each, and below it hops from one agent to the next. */
import { Refused } from '../src/client/errors.ts'
import { signHop } from '../src/client/delegating.ts'
import { generateKey, type Key } from '../src/client/key.ts'
import type { Caller } from '../src/client/person.ts'
import { createSender, type Send } from '../src/client/sending.ts'
import { sessionForm, type SessionOptions } from '../src/client/session.ts'
import { selfAssertion } from '../src/cli/context.ts'
import { textIn } from '../src/cli/member.ts'
import type { JsonObject } from '../src/domain/json.ts'

/** A consent to a tool of high risk is for at most 1,000 uses. */
const USES = 1000
const CONSENT_MS = 3_600_000
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

/** One run, at the end of its chain. */
export interface Standing {
  readonly key: Key
  /** Has the broker name the nonce it wants, so that each opening is one request. */
  prepare(): Promise<void>
  /** A session's token. `leafAlone`: the broker has the chain on record, and its last hop will do. */
  open(leafAlone?: boolean): Promise<string>
}

export interface Place {
  /** 0: straight under the consent. */
  readonly depth: number
  /** Whether each hop has a number of calls of its own, one less than the one above. */
  readonly counted: boolean
}

interface Agent {
  readonly id: string
  readonly registered: Key
}

/** Registers an agent for each place of a chain; what it gives makes a run at the last of them. */
export async function standingAt(
  { depth, counted }: Place,
  issuer: string,
  sponsor: Caller,
): Promise<() => Promise<Standing>> {
  const first = await anAgent(sponsor)
  const below = await Promise.all(Array.from({ length: depth }, () => anAgent(sponsor)))
  const leaf = below.at(-1) ?? first
  return async () => {
    const consent = await aConsent(sponsor, first, depth)
    const key = generateKey()
    const { send } = createSender({ issuer, key })
    const assertion = () => selfAssertion(leaf.id, leaf.registered, issuer)
    const rest =
      depth === 0
        ? { consent }
        : { chain: await aChain({ issuer, consent, first, below, key, counted }) }
    return {
      key,
      prepare: () => prepare(send),
      open: async (leafAlone = false) =>
        textIn(await opened(send, { assertion, ...rest }, { leafAlone }), 'access_token'),
    }
  }
}

async function anAgent(sponsor: Caller): Promise<Agent> {
  const registered = generateKey()
  const workload = { kind: 'jwk', jwk: registered.publicJwk }
  const agent = await sponsor.post('/v1/agents', { name: 'bench-bot', workload })
  return { id: textIn(agent, 'id'), registered }
}

async function aConsent(sponsor: Caller, { id }: Agent, hops: number): Promise<string> {
  const consent = await sponsor.post('/v1/consents', {
    ...{ agent_id: id, tools: ['payments.refund'], purpose: 'support.refunds' },
    ...{ max_uses: USES, expires_at: new Date(Date.now() + CONSENT_MS).toISOString() },
    ...(hops === 0 ? {} : { max_hops: hops }),
  })
  return textIn(consent, 'id')
}

interface ChainWanted {
  readonly issuer: string
  readonly consent: string
  readonly first: Agent
  readonly below: readonly Agent[]
  /** Of the last. */
  readonly key: Key
  readonly counted: boolean
}

/** A root of the broker's, and hops that nobody has registered yet, root first. */
async function aChain(wanted: ChainWanted): Promise<string> {
  const { issuer, consent, first, below, counted } = wanted
  let holder = generateKey()
  const { send } = createSender({ issuer, key: holder })
  const assertion = () => selfAssertion(first.id, first.registered, issuer)
  const root = await opened(send, { assertion, consent }, { root: true })
  let chain = textIn(root, 'delegation_root')
  for (const [at, { id }] of below.entries()) {
    const next = at === below.length - 1 ? wanted.key : generateKey()
    const calls = counted ? { calls: USES - 1 - at } : {}
    const to = { agent: id, jkt: next.jkt }
    chain = signHop(chain.split('~'), holder, { to, ...calls }, Date.now()).chain
    holder = next
  }
  return chain
}

async function opened(
  send: Send,
  options: SessionOptions,
  { root = false, leafAlone = false },
): Promise<JsonObject> {
  const body = await sessionForm(options, { root, isKnown: leafAlone })
  return (await send('POST', '/oauth/token', { headers: FORM, body })).body
}

/** Nobody is named, and nothing opened: the nonce comes first. */
async function prepare(send: Send): Promise<void> {
  try {
    await send('POST', '/oauth/token', { headers: FORM, body: 'grant_type=client_credentials' })
  } catch (error) {
    if (error instanceof Refused) return
    throw error
  }
  throw new Error('a session was given to nobody')
}
