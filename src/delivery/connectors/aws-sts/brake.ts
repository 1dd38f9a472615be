/** The emergency brake: every session of a role that is older than now can do nothing any more. */
import { within } from '../../deadline.ts'
import { blurred, type Opening, withIam } from './clients.ts'
import { inSeconds } from './session-policy.ts'

const BRAKE_MS = 10_000
const POLICY_NAME = 'procura-brake'

/**
 * Ends also sessions that nobody here made or remembers. What is made afterwards is not touched, so
 * that the policy may stay; to pull it again moves it on.
 *
 * @returns what is older than this, in whole seconds
 * @throws Error that says what IAM answered, and none of its words
 */
export async function brakeRole({ secrets, at }: Opening, now: Date): Promise<Date> {
  // Those of this very second, too.
  const before = new Date((Math.floor(now.getTime() / 1000) + 1) * 1000)
  const denying = {
    ...{ Effect: 'Deny', Action: '*', Resource: '*' },
    Condition: { DateLessThan: { 'aws:TokenIssueTime': inSeconds(before) } },
  }
  const { role_arn: role } = at.settings
  const input = {
    RoleName: role.slice(role.lastIndexOf('/') + 1),
    PolicyName: POLICY_NAME,
    PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: [denying] }),
  }
  await withIam({ secrets, at }, (client, { PutRolePolicyCommand }) =>
    within(BRAKE_MS, (signal) =>
      client.send(new PutRolePolicyCommand(input), { abortSignal: signal }),
    ).catch((error: unknown) => {
      throw blurred(error)
    }),
  )
  return before
}
