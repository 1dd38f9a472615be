/** Second act: what is refused, and what is asked, each with the rule and the fix. */
import { generateKey, type Key } from '../../client/key.ts'
import { type Answered, answerTo } from '../../client/wire.ts'
import { Refused } from '../../client/errors.ts'
import { sha256 } from '../../domain/digest.ts'
import { canonical, type Json } from '../../domain/json.ts'
import { KEEPER_BOT } from '../dev/seed.ts'
import { textIn } from '../member.ts'
import { plain } from '../print.ts'
import { type Actor, actor, askFor, type Stage } from './actors.ts'
import { askTarget, logIn } from './login.ts'
import { check, onlyTold, refusal, type Tell, told, whyNot } from './tell.ts'

export async function refuse(stage: Stage, bot: Actor, tell: Tell): Promise<void> {
  await tell('refused', async () => {
    const asked = askFor(bot, 'select count(*) from orders_archive')
    return onlyTold(`orders_archive: ${whyNot(await refusal(asked, 403, 'outside_authority'))}`)
  })
  await tell('refused', async () => {
    const asked = askFor(bot, 'select salary from payroll')
    const no = await refusal(asked, 403, 'outside_authority', 'access_denied')
    return onlyTold(`payroll: ${whyNot(no)}`)
  })
  await tell('refused', async () => {
    const asked = askFor(bot, 'drop table orders')
    return onlyTold(`drop table orders: ${whyNot(await refusal(asked, 403, 'access_denied'))}`)
  })
  await tell('replayed', () => replay(stage, bot))
  await askPerson(stage, tell)
}

const DROP = 'drop table orders_archive'

/** The same statement from an agent that is there for it: a person says yes, once, to exactly this. */
async function askPerson(stage: Stage, tell: Tell): Promise<void> {
  const { world, targetUrl } = stage
  const keeper = await actor(stage, KEEPER_BOT)
  const approval = await tell('asked', async () => {
    const ask = { tool: 'sql.query', arguments: { sql: DROP }, justification: 'to free the disk' }
    const answer = await keeper.client.requestCredential(ask)
    if (answer.status !== 'pending') throw new Error('expected that a person is asked')
    const rules = plain(answer.body['asked_by'])
    return told(`keeper-bot: ${DROP} → ben is asked, by ${rules}`, answer.approval)
  })
  await tell('approved', async () => {
    const ben = world.as('ben')
    const shown = await ben.get(`/v1/approvals/${approval}`)
    const decision = { decision: 'approve', binding_hash: shown['binding_hash'] ?? null }
    await ben.post(`/v1/approvals/${approval}/decision`, decision)
    const other = askFor(keeper, 'drop table orders', { approval })
    await refusal(other, 409, 'args_mismatch')
    const { id, credential } = await askFor(keeper, DROP, { approval })
    const login = await logIn(credential)
    await login.query(DROP)
    const [left] = await askTarget(targetUrl, `select to_regclass('public.orders_archive') as it`)
    check(left?.['it'] === null, 'the table to be gone')
    await refusal(askFor(keeper, DROP, { approval }), 409, 'approval_consumed')
    await keeper.client.giveBack(id)
    return onlyTold('once and exactly this: another statement refused, done, a second time refused')
  })
}

/** A request that somebody overheard, whole; and a session without the key it is bound to. */
async function replay({ world: { issuer } }: Stage, bot: Actor) {
  const session = textIn(await bot.client.connect(), 'access_token')
  const body = canonical({ tool: 'sql.query', arguments: { sql: 'select count(*) from orders' } })
  const url = `${issuer}/v1/explain`
  const send = (proof: string) =>
    answerTo({
      ...{ method: 'POST', url, body, timeoutMs: 10_000 },
      headers: {
        ...{ authorization: `DPoP ${session}`, dpop: proof },
        'content-type': 'application/json',
      },
    })
  const { headers } = await send(proofOf(bot.key, { url, body, session }))
  const said = { url, body, session, nonce: headers.get('dpop-nonce') ?? '' }

  const proof = proofOf(bot.key, said)
  check((await send(proof)).status === 200, 'the request itself to be answered')
  await refusal(orRefused(send(proof)), 401, 'invalid_dpop_proof')
  const stolen = proofOf(generateKey(), said)
  await refusal(orRefused(send(stolen)), 401, 'invalid_dpop_proof', 'invalid_token')
  check((await send(proofOf(bot.key, said))).status === 200, 'a fresh proof to be answered')
  return onlyTold('the same request again, and the session under another key: both refused')
}

interface Said {
  readonly url: string
  readonly body: string
  readonly session: string
  readonly nonce?: string
}

/** A DPoP proof made by hand, because the client library makes no two alike. */
function proofOf(key: Key, { url, body, session, nonce }: Said): string {
  const claims: Record<string, Json> = {
    ...{ htm: 'POST', htu: url, iat: Math.floor(Date.now() / 1000), jti: crypto.randomUUID() },
    ...{ ath: sha256(session), body_sha256: sha256(body) },
    ...(nonce === undefined ? {} : { nonce }),
  }
  return key.sign('dpop+jwt', claims, { jwk: key.publicJwk })
}

async function orRefused(sent: Promise<Answered>): Promise<void> {
  const { status, body } = await sent
  if (status >= 400) throw new Refused(status, body)
}
