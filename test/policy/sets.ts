/** Policy sets that answer one question differently, and how a replica answers it. */
import { questionOf } from '../../src/domain/question.ts'
import { bySystem } from '../../src/domain/request.ts'
import type { PolicyFiles } from '../../src/policy/files.ts'
import type { Replica } from './replica.ts'
import { aChain, files } from './world.ts'

export const act = bySystem('test')

export const sql = 'select * from orders'
export const closed: PolicyFiles = {
  ...files,
  'more.cedar': `@id("closed") @say("closed") forbid (principal, action == Action::"sql.query", resource);`,
  'sql.test.yaml': '[]',
}
export const broken: PolicyFiles = { ...files, 'more.cedar': 'forbid (principal' }

export async function decision({ pdp }: Replica) {
  const call = pdp.read({ tool: 'sql.query', arguments: { sql } })
  const chain = aChain()
  return await pdp.decide(chain, questionOf(chain, call, null))
}
export const answers = async (replica: Replica) => (await decision(replica)).answer.kind
