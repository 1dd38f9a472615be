/** Two brokers of one database; rules that are compiled decide in one of them, and Cedar alone in the other. */
import { join } from 'node:path'
import { type BrokerProcess, COMPILED, startBroker } from './broker.ts'
import type { House } from './house.ts'

/** @param env of both; each has checkpoints of its own */
export async function startReplicas(
  { dataDir }: Pick<House, 'dataDir'>,
  env: Readonly<Record<string, string>>,
): Promise<[BrokerProcess, BrokerProcess]> {
  const checkpoints = join(dataDir, 'checkpoints-2')
  return await Promise.all([
    startBroker({ ...COMPILED, ...env }),
    startBroker({ ...env, PROCURA_CHECKPOINTS: checkpoints }),
  ])
}
