/** Last act: what a sponsor takes back ends; and anybody can check what happened. */
import { createReadStream, createWriteStream, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { performance } from 'node:perf_hooks'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { answerTo } from '../../client/wire.ts'
import { isObject } from '../../domain/json.ts'
import { linesOf } from '../../ledger/verify-lines.ts'
import { verifyLedger } from '../../ledger/verify.ts'
import { fetchCheckpoint, headOf, overHttp } from '../ledger-export.ts'
import { plain } from '../print.ts'
import { type Actor, askFor, type Stage } from './actors.ts'
import { checkDead, logIn } from './login.ts'
import { check, onlyTold, refusal, seconds, type Tell, until } from './tell.ts'

export async function withdraw({ world }: Stage, bot: Actor, tell: Tell): Promise<void> {
  const sql = 'select count(*) from customers'
  const { credential } = await askFor(bot, sql)
  const login = await logIn(credential)
  await tell('withdrawn', async () => {
    const since = performance.now()
    const ana = world.as('ana')
    const { id, revoked } = await ana.delete(`/v1/consents/${plain(bot.consent['id'])}`)
    await refusal(askFor(bot, sql), 403, 'chain_invalid')
    await until('the end of its session', () => login.isOver())
    await checkDead(credential)
    const ms = performance.now() - since
    await until('the confirmation', async () => {
      const { confirmations } = await ana.get(`/v1/revocations/${plain(id)}`)
      return isObject(confirmations) && confirmations['pending'] === 0
    })
    const count = isObject(revoked) ? plain(revoked['credentials']) : '?'
    const ended = `${count} live credential dead at the target in ${seconds(ms)}, confirmed there`
    return onlyTold(`ana takes her consent back → the next request refused, ${ended}`)
  })
}

/** Exports the log, and believes nothing of it but what the public key proves. */
export async function verify({ world, dataDir }: Stage, tell: Tell): Promise<void> {
  const { issuer } = world
  const file = join(dataDir, 'ledger.jsonl')
  await tell('verified', async () => {
    const auditor = world.as('cleo')
    const { size } = await auditor.get('/v1/ledger/entries?limit=1')
    const isSigned = async () => headOf(await fetchCheckpoint(issuer)).size >= Number(size)
    await until('a checkpoint over all of it', isSigned)
    await pipeline(Readable.from(lined(overHttp(issuer, auditor))), createWriteStream(file))
    const vkey = await publicKey(issuer)
    writeFileSync(join(dataDir, 'ledger.vkey'), `${vkey}\n`)

    const verdict = await verifyLedger(linesOf(createReadStream(file)), { vkeys: [vkey] })
    check(verdict.ok === true, `the log to hold: ${'message' in verdict ? verdict.message : ''}`)
    const altered = readFileSync(file, 'utf8').replace('sql.query', 'sql.quory')
    const forged = await verifyLedger(altered.split('\n').filter(Boolean), { vkeys: [vkey] })
    check(forged.ok === false, 'an altered byte to be found')
    const entries = verdict.ok === true ? String(verdict.entries) : ''
    return onlyTold(
      `${entries} entries of ${relative('', file)}, offline, with the public key alone; one altered byte is found`,
    )
  })
}

async function* lined(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`
}

async function publicKey(issuer: string): Promise<string> {
  const url = `${issuer}/.well-known/procura-configuration`
  const { body } = await answerTo({ method: 'GET', url, headers: {}, timeoutMs: 10_000 })
  const { ledger } = body
  return isObject(ledger) ? plain(ledger['vkey']) : ''
}
