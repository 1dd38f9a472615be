/** The policy of one session: what its grant says, and not a second longer than its lease. */
import { NoEffect } from '../../connector.ts'
import type { Permissions, Settings } from './settings.ts'

/** What STS takes, in characters. */
const CHARACTERS_MAX = 2048

/**
 * A JSON document. Arguments go in as values; what IAM would read as more than text is escaped.
 *
 * @throws NoEffect when it is longer than STS takes: a session without it would have all of the role
 */
export function sessionPolicy(
  { statements }: Permissions,
  endsAt: Date,
  { wildcards }: Pick<Settings, 'wildcards'>,
): string {
  const condition = { DateLessThan: { 'aws:CurrentTime': inSeconds(endsAt) } }
  const document = {
    Version: '2012-10-17', // the one that knows variables, and with them the way to write a `*`
    Statement: statements.map(({ actions, resources }) => ({
      Effect: 'Allow',
      Action: actions,
      Resource: resources.map(({ arn, value, then }) => {
        return arn + (value === undefined ? '' : literal(value, wildcards)) + then
      }),
      Condition: condition,
    })),
  }
  const text = inAscii(JSON.stringify(document))
  if (text.length > CHARACTERS_MAX) throw new NoEffect('the session policy is too long')
  return text
}

/** In a policy `*` and `?` match and `$` opens a variable, unless it is `${*}`, `${?}`, `${$}`. */
function literal(value: string, wildcards: Settings['wildcards']): string {
  if (wildcards === 'refused' && /[*?$]/.test(value)) {
    throw new NoEffect('the endpoint has no way to write this argument')
  }
  return value.replace(/[*?$]/g, (character) => `\${${character}}`)
}

/** Policies travel as Latin-1; JSON can write everything else. */
function inAscii(json: string): string {
  return json.replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** ISO 8601 without fractions, which not every reader of policies takes. */
export const inSeconds = (time: Date) => time.toISOString().replace(/\.\d{3}Z$/, 'Z')
