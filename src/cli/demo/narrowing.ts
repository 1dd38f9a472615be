/** An agent hands a part of what it may do to another one: less, and of use to that one's key alone. */
import { createClient } from '../../client/client.ts'
import { CannotDelegate } from '../../client/errors.ts'
import { generateKey } from '../../client/key.ts'
import { droppedPhrases } from '../../client/phrases.ts'
import { readAgent, selfAssertion } from '../context.ts'
import { CHART_MAKER, enrol } from '../dev/seed.ts'
import { plain } from '../print.ts'
import { type Actor, held, type Stage } from './actors.ts'
import { logIn } from './login.ts'
import { check, onlyTold, refusal, type Tell, told, whyNot } from './tell.ts'

const COUNT = 'select count(*) from orders'
const PURPOSE = 'reporting.weekly'

export async function narrow(stage: Stage, bot: Actor, tell: Tell): Promise<void> {
  const { world, dataDir } = stage
  const agent = await enrol(CHART_MAKER.name, world.as(CHART_MAKER.sponsor), dataDir)
  const key = generateKey()
  const to = { agent, jkt: key.jkt }
  const chain = await tell('narrowed', async () => {
    const handed = await bot.client.delegate({
      ...{ to, calls: 2, ttl: 300, purpose: PURPOSE },
      where: [{ key: 'facts.tables', subset_of: ['public.orders'] }],
    })
    const gone = droppedPhrases(handed.dropped).join(' · ')
    return told(`report-bot → chart-maker, without ${plain(gone)}`, handed.chain)
  })
  await tell('too wide', async () => {
    const wider = bot.client.delegate({ to, tools: ['payments.refund'] })
    const error = await wider.catch((thrown: unknown) => thrown)
    check(error instanceof CannotDelegate, 'a wider hop to be found before anybody is asked')
    return onlyTold(`report-bot → chart-maker: ${plain((error as Error).message)}`)
  })

  const { key: registered } = readAgent(CHART_MAKER.name, dataDir)
  const { issuer } = world
  const assertion = () => selfAssertion(agent, registered, issuer)
  const client = createClient({ issuer, key, assertion, chain })
  const ask = (sql: string) =>
    client.requestCredential({ tool: 'sql.query', arguments: { sql }, purpose: PURPOSE })
  await tell('issued', async () => {
    const { id, credential } = held(await ask(COUNT))
    const login = await logIn(credential)
    const [row] = await login.query(COUNT)
    await login.end()
    await client.giveBack(id)
    return onlyTold(`chart-maker: ${COUNT} → ${plain(row?.['count'])}, under report-bot, for ana`)
  })
  await tell('refused', async () => {
    const no = await refusal(ask('select count(*) from customers'), 403, 'outside_authority')
    return onlyTold(`chart-maker: customers: ${whyNot(no)}`)
  })
  await tell('refused', async () => {
    const stolen = createClient({ issuer, key: generateKey(), assertion, chain })
    await refusal(stolen.connect(), 400, 'chain_invalid')
    return onlyTold('the same chain under another key')
  })
}
