/** The delivering process, and one who has a key and floods it. */
import { expect, it } from 'vitest'
import { createCallers } from '../../src/http/limits.ts'
import { createAskedIdentity } from '../../src/identity/asked.ts'
import { aFront, HEADERS, LIMITS, serving } from '../fakes/front.ts'
import { aListener, anAnswering, asking, SESSION } from './lines.ts'

const PATH = '/v1/credentials/crd_01m7ysq11heassstccc64q4cfx'

it('[DOS-08] does not ask the deciding side about one who was told to wait, and about others it does', async () => {
  const limits = { ...LIMITS, callerPerSecond: 2 }
  const looked: (string | null)[] = []
  const { answering } = anAnswering({
    authenticate({ authorization, recognised }) {
      looked.push(authorization)
      const id = authorization === HEADERS.agent.authorization ? SESSION.agent : 'agt_another'
      recognised?.({ kind: 'agent', id, sponsor: SESSION.sponsor })
      return Promise.resolve({ session: SESSION, jkt: 'k' })
    },
  })
  const { url } = await aListener(answering, { limit: createCallers(limits, () => 0) })
  const asked = createAskedIdentity(asking(url))
  const front = aFront({ limits, identity: { ...aFront().identity, ...asked } })
  await serving(front, async ({ call }) => {
    const statusOf = async (authorization: string) =>
      (await call('GET', PATH, { headers: { ...HEADERS.agent, authorization } })).status
    const statuses: number[] = []
    for (let n = 0; n < 20; n += 1) statuses.push(await statusOf(HEADERS.agent.authorization))
    expect(statuses.slice(4)).toEqual(Array.from({ length: 16 }, () => 429))
    expect(looked).toHaveLength(5)
    expect(await statusOf('DPoP another')).not.toBe(429)
    expect(looked).toHaveLength(6)
  })
})
