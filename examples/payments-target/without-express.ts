/** The same service on node:http, with the plain function. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { challenge, verifyCredential } from '../../src/target/verify.ts' // procura/target
import { listen, placeOfThisProcess, TOOL } from './place.ts'

const { redeem, ...place } = placeOfThisProcess()

listen((origin) => (req, res) => {
  serve(origin, req, res).catch(() => res.writeHead(500).end())
})

async function serve(origin: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const args = (await bodyOf(req)) as { amount: number; order_id: string }
  const { method = '', url = '', headers } = req
  const [scheme, token = null] = (headers.authorization ?? '').split(' ')
  const { dpop: proof } = headers
  const verified = await verifyCredential({
    ...{ ...place, tool: TOOL, args, method, url: origin + url, now: new Date() },
    ...{ token: scheme === 'DPoP' ? token : null, proof: typeof proof === 'string' ? proof : null },
  })
  // Only now is it asked whether this is the first time: of all who try, one may act.
  const redeemed = verified.ok ? await redeem(verified, TOOL) : verified
  if (!redeemed.ok) {
    const asks = challenge(redeemed)
    res.writeHead(redeemed.status, asks === null ? {} : { 'www-authenticate': asks })
    res.end(JSON.stringify({ reason: redeemed.reason, fix: redeemed.fix }))
    return
  }
  const { decision_id: decision = null } = redeemed.redemption
  res.writeHead(200, { 'content-type': 'application/json' })
  res.end(JSON.stringify({ refunded: args.amount, order: args.order_id, decision }))
}

async function bodyOf(req: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString())
}
