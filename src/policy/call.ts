/** A request → a call of a declared tool: arguments that fit, facts computed from them. */
import { digestOf } from '../domain/digest.ts'
import { BrokerError } from '../domain/problems.ts'
import type { CredentialRequest } from '../domain/request.ts'
import type { ToolCall } from '../domain/tool.ts'
import type { Catalogue } from './catalogue.ts'
import type { Purposes } from './purposes.ts'

/**
 * Reads a call. Its lifetime is what was asked for, or the tool's default.
 *
 * @throws BrokerError `unknown_tool`, `unknown_purpose`, `arguments_invalid` (places and rules of the
 *   schema, never what was sent)
 */
export function readCall(
  catalogue: Catalogue,
  purposes: Purposes,
  request: CredentialRequest,
): ToolCall {
  const { purpose = null, arguments: args } = request
  const declared = catalogue.get(request.tool)
  if (declared === undefined) throw new BrokerError('unknown_tool')
  if (purpose !== null && !purposes.has(purpose)) throw new BrokerError('unknown_purpose')
  const errors = declared.check(args)
  if (errors.length > 0) throw new BrokerError('arguments_invalid', { shown: { errors } })
  const facts = declared.facts(args)
  return {
    tool: declared.tool,
    arguments: args,
    argsHash: digestOf(args),
    facts,
    factsHash: digestOf(facts),
    purpose,
    ttlSeconds: request.ttlSeconds ?? declared.tool.ttlSecondsDefault,
  }
}
