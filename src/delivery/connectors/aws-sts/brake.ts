/** The emergency brake: every session of a role that is older than now can do nothing any more. */
import { isTimeout, within } from '../../deadline.ts'
import { blurred, type Opening } from './clients.ts'
import { withIam } from './iam.ts'
import { inSeconds } from './session-policy.ts'

const BRAKE_MS = 10_000
const POLICY_NAME = 'procura-brake'

/**
 * Ends also sessions that nobody here made or remembers. What is made afterwards is not touched, so
 * that the policy may stay; to pull it again moves it on.
 *
 * @returns what is older than this, in whole seconds
 * @throws Error that says what STS or IAM answered, and none of their words
 */
export async function brakeRole(opening: Opening): Promise<Date> {
  // Those of this very second, too.
  const before = new Date((Math.floor(opening.clock().getTime() / 1000) + 1) * 1000)
  const denying = {
    ...{ Effect: 'Deny', Action: '*', Resource: '*' },
    Condition: { DateLessThan: { 'aws:TokenIssueTime': inSeconds(before) } },
  }
  const { role_arn: role } = opening.at.settings
  const input = {
    RoleName: role.slice(role.lastIndexOf('/') + 1),
    PolicyName: POLICY_NAME,
    PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: [denying] }),
  }
  await within(BRAKE_MS, (signal) =>
    withIam(opening, signal, (client, { PutRolePolicyCommand }) =>
      client
        .send(new PutRolePolicyCommand(input), { abortSignal: signal })
        .catch((error: unknown) => {
          throw blurred(error)
        }),
    ),
  ).catch((error: unknown) => {
    // Why a key is not given out is in our words, and the operator's to read.
    throw isTimeout(error) ? blurred(error) : error
  })
  return before
}
