/** The exact input of an evaluation as JSON, and back: what is kept so that it can be made again. */
import type { Asked } from '../domain/approval.ts'
import type { Authority } from '../domain/authority.ts'
import { digestOf } from '../domain/digest.ts'
import type { ApprovalId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Principal } from '../domain/question.ts'
import type { Posed } from './asking.ts'
import type { Bindings } from './evaluate.ts'
import type { InForce } from './policy-set.ts'
import { isExternal } from './purposes.ts'

export interface Input {
  readonly question: Posed
  readonly bindings: Bindings
}
interface Sets {
  readonly hash: string
  readonly schemaHash: string
}

/** Everything that was looked at. The tool and the rules are in the set, by its hash. */
export function snapshotOf({ hash, schemaHash }: Sets, { question, bindings }: Input): JsonObject {
  const { call, approval } = question
  const snapshot = {
    v: 1,
    policy_set_hash: hash,
    schema_hash: schemaHash,
    ...{ tool: call.tool.name, tool_hash: call.tool.hash },
    ...{ arguments: call.arguments, facts: call.facts, asked_purpose: call.purpose },
    asked_ttl_seconds: call.ttlSeconds,
    principals: question.principals,
    authority: question.authority,
    ...{ purpose: question.purpose, depth: question.depth },
    ...{ uses_left: question.usesLeft, ttl_seconds: question.ttlSeconds },
    now: question.now.toISOString(),
    approval: approval && { ...approval, approvedUntil: approval.approvedUntil.toISOString() },
    bindings,
  }
  return snapshot as unknown as JsonObject
}

/** As `snapshotOf` wrote it. Throws when the tool is not the one of that set. */
export function inputFrom(
  snapshot: JsonObject,
  { catalogue, purposes }: Pick<InForce, 'catalogue' | 'purposes'>,
): Input {
  const kept = snapshot as unknown as Kept
  const tool = catalogue.get(kept.tool)?.tool
  if (tool?.hash !== kept.tool_hash)
    throw new Error('the snapshot is of another version of the tool')
  const { approval, bindings } = kept
  const call = {
    ...{ tool, arguments: kept.arguments, argsHash: digestOf(kept.arguments) },
    ...{ facts: kept.facts, factsHash: digestOf(kept.facts) },
    ...{ purpose: kept.asked_purpose, ttlSeconds: kept.asked_ttl_seconds },
  }
  const question: Posed = {
    ...{ principals: kept.principals, authority: kept.authority, call },
    ...{ purpose: kept.purpose, isExternal: isExternal(purposes, kept.purpose), depth: kept.depth },
    ...{ usesLeft: kept.uses_left, ttlSeconds: kept.ttl_seconds },
    approval: approval && { ...approval, approvedUntil: new Date(approval.approvedUntil) },
    now: new Date(kept.now),
  }
  return { question, bindings }
}

interface Kept {
  readonly policy_set_hash: string
  readonly tool: string
  readonly tool_hash: string
  readonly arguments: JsonObject
  readonly facts: JsonObject
  readonly asked_purpose: string | null
  readonly asked_ttl_seconds: number
  readonly principals: readonly [Principal, ...Principal[]]
  readonly authority: Authority
  readonly purpose: string
  readonly depth: number
  readonly uses_left: number
  readonly ttl_seconds: number
  readonly now: string
  readonly approval: {
    readonly id: ApprovalId
    readonly bindingHash: string
    readonly asked: Asked
    readonly approvedUntil: string
  } | null
  readonly bindings: Bindings
}
