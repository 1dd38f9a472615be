/** Third act: a token that a service of one's own asks about, and spends once. */
import { sha256 } from '../../domain/digest.ts'
import { AUDIENCE } from '../dev/trust.ts'
import { REFUND_BOT } from '../dev/seed.ts'
import { textIn } from '../member.ts'
import { plain } from '../print.ts'
import { type Actor, actor, held, type Stage } from './actors.ts'
import { check, onlyTold, refusal, type Tell, told } from './tell.ts'

const TOOL = 'payments.refund'
const CALL = { order_id: 'EU-2026/10231', amount: 900, currency: 'EUR' }

export async function refund(stage: Stage, tell: Tell): Promise<void> {
  const { service } = stage.world
  const bot = await actor(stage, REFUND_BOT)
  const { token, argsHash } = await tell('issued', async () => {
    const { credential, body } = held(
      await bot.client.requestCredential({ tool: TOOL, arguments: CALL }),
    )
    const token = textIn(credential, 'token')
    const { active, aud } = await service.introspect(token)
    check(active === true && aud === AUDIENCE, 'introspection to know it')
    const text = `refund-bot: refund 9.00 EUR → a token for ${AUDIENCE}, bound to its key, introspected`
    return told(text, { token, argsHash: textIn(body, 'args_hash') })
  })
  await tell('redeemed', async () => {
    const spend = (args: string) =>
      service.post('/v1/redemptions', {
        ...{ token, tool: TOOL, args_hash: args },
        dpop: { proof: proofAt(bot, token), htm: 'POST', htu: `${AUDIENCE}/refunds` },
      })
    await refusal(spend(sha256('another amount')), 409, 'args_mismatch')
    const { credential_id: id } = await spend(argsHash)
    await refusal(spend(argsHash), 409, 'already_redeemed')
    const { active } = await service.introspect(token)
    check(active === false, 'introspection to call it spent')
    return onlyTold(
      `by the payments service, once: other arguments and a second time refused, ${plain(id)}`,
    )
  })
}

/** What the agent shows the payments service: RFC 9449 for that service's own address. */
function proofAt({ key }: Actor, token: string): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = { htm: 'POST', htu: `${AUDIENCE}/refunds`, iat: now, jti: crypto.randomUUID() }
  return key.sign('dpop+jwt', { ...claims, ath: sha256(token) }, { jwk: key.publicJwk })
}
