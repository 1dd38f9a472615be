/** The shapes that one broker can have. What is promised is promised of each. */
import type { TestDatabase } from '../pg/database.ts'
import { type BrokerProcess, COMPILED, startBroker } from './broker.ts'
import type { House } from './house.ts'
import { aSplit, startSplit } from './two-processes.ts'

type Env = Readonly<Record<string, string>>

export interface Shape {
  readonly shape: string
  readonly start: (at: Place, env?: Env) => Promise<Started>
}
export interface Place {
  readonly home: House
  readonly database: TestDatabase
}
export interface Started extends BrokerProcess {
  /** Another where this one was, when it is gone. */
  readonly again: () => Promise<BrokerProcess>
}

export const SHAPES: readonly Shape[] = [
  {
    shape: 'one process',
    async start({ home }, env = {}) {
      const own = { ...home.env, ...COMPILED, ...env }
      const broker = await startBroker(own)
      const again = { ...own, PROCURA_PORT: String(broker.port) }
      return { ...broker, again: () => startBroker(again) }
    },
  },
  {
    shape: 'two processes',
    async start({ home, database }, env = {}) {
      const split = await aSplit(database, home, env)
      return { ...(await startSplit(split)), again: () => startSplit(split) }
    },
  },
]
