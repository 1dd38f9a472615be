/** Whether a broker's start is over for good: until then a thread of it holds compiled rules against Cedar. */
import { exchange } from './wire.ts'

/** Of a broker that has decided something since. */
export async function isDecidingQuickly(port: number): Promise<boolean> {
  const { text } = await exchange(port, { method: 'GET', path: '/metrics' })
  return /^procura_decisions_total\{.*evaluator="compiled".*\} [1-9]/m.test(text)
}
