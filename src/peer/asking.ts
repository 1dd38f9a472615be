/** The delivering side's line to the deciding side. What is not answered is 503, and is not asked again. */
import { Agent, request } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { BrokerError, unavailable } from '../domain/problems.ts'
import type { Meter } from '../domain/meter.ts'
import type { Presented } from '../domain/request.ts'
import { type Answering, headOf, type Name, NoQuestion, questionOf } from './questions.ts'
import { type Answers, readReply, type Reply } from './replies.ts'
import { contextOf, type PeerTls, whyNot } from './tls.ts'

/** Longer than a decision takes, and short enough to answer whoever waits. */
const ANSWER_MS = { decide: 5000, ready: 1500 } as const
const USUAL_MS = 3000
/** Less than the other end keeps one that is not used. */
const IDLE_MS = 30_000
const REPLY_BYTES_MAX = 1024 * 1024

export interface AskingOptions {
  /** An https origin. */
  readonly url: string
  readonly tls: PeerTls
  readonly socketsMax: number
  readonly meter: Meter
}

export interface Asking extends Answering {
  /** As it was last told; empty before the first answer. */
  nonce(): string
  end(): void
}

export function createAsking(options: AskingOptions): Asking {
  const { tls, socketsMax: maxSockets, meter } = options
  const agent = new Agent({
    ...{ ...contextOf(tls), keepAlive: true, maxSockets, timeout: IDLE_MS, maxCachedSessions: 0 },
    // Said, for otherwise a variable of the environment can turn it off.
    ...{ rejectUnauthorized: true, servername: tls.name },
    checkServerIdentity: (_host, certificate) => whyNot(tls, certificate),
  })
  let nonce = ''

  /** @throws BrokerError as the other side refused, or `unavailable` */
  async function ask<N extends Name>(
    name: N,
    head: object,
    presented?: Presented,
  ): Promise<Answers[N]> {
    const reply = await exchange(options, agent, name, questionOf(head, presented?.body)).catch(
      (cause: unknown) => {
        meter.count('procura_peer_questions_total', { question: name, outcome: 'unanswered' })
        throw unavailable('decision_point', cause)
      },
    )
    meter.count('procura_peer_questions_total', { question: name, outcome: outcomeOf(reply) })
    nonce = reply.nonce
    if (reply.isNoQuestion) throw unavailable('decision_point', new NoQuestion('not understood'))
    if (presented !== undefined) note(name, presented, reply)
    if (reply.refusal === undefined) return reply.answer as Answers[N]
    const { code, ...more } = reply.refusal
    throw new BrokerError(code, more)
  }

  return {
    decide: (it) => ask('decide', headOf(it), it),
    authenticate: (it) => ask('authenticate', headOf(it), it),
    service: (it, assertion) => ask('service', { ...headOf(it), assertion }, it),
    checkProof: async (shown) => {
      await ask('checkProof', { shown })
    },
    refused: async (counts) => {
      await ask('refused', { counts })
    },
    ready: () => ask('ready', {}),
    nonce: () => nonce,
    end() {
      agent.destroy()
    },
  }
}

/**
 * Who calls has been limited over there, before anything was decided, by how often and by how much is
 * decided at once. Here it is noted how much of theirs is worked on: whoever has too much of that is
 * refused all else, but not what was decided for them. How much of that is made at once is bounded by
 * the places there are for all.
 */
function note(name: Name, presented: Presented, { caller }: Reply): void {
  // A service is told to whoever asked, who takes note of it.
  if (caller === null || name === 'service') return
  try {
    presented.recognised?.(caller)
  } catch (error) {
    if (name !== 'decide') throw error
  }
}

const outcomeOf = ({ refusal, isNoQuestion }: Reply) =>
  refusal === undefined && !isNoQuestion ? 'answered' : 'refused'

function exchange(
  { url }: AskingOptions,
  agent: Agent,
  name: Name,
  question: Buffer,
): Promise<Reply> {
  const ms = name in ANSWER_MS ? ANSWER_MS[name as keyof typeof ANSWER_MS] : USUAL_MS
  return new Promise((resolve, reject) => {
    const sent = request(new URL(`/${name}`, url), {
      ...{ agent, method: 'POST', signal: AbortSignal.timeout(ms) },
      headers: { 'content-type': 'application/octet-stream', 'content-length': question.length },
    })
    sent.once('error', reject)
    const unanswered = () => {
      reject(new Error('the line was closed')) // Also by another protocol than was asked for.
    }
    sent.once('close', unanswered)
    sent.once('response', (response) => {
      sent.off('close', unanswered)
      octetsOf(response)
        .then((octets) => readReply(name, octets))
        .then(resolve, reject)
    })
    sent.end(question)
  })
}

async function octetsOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (response.statusCode !== 200 || size > REPLY_BYTES_MAX) throw new Error('not a reply')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
