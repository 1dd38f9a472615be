/** The two digests that tie an answer to one exact call: of what was asked, and of what a yes is to. */
import { type Chain, leafOf } from './chain.ts'
import { type Digest, digestOf } from './digest.ts'
import type { ToolCall } from './tool.ts'

/**
 * What an approver signs. Two requests have the same one if and only if a yes to the first is a yes to
 * the second: the same call, at the same version of the tool, for the same purpose, through the same
 * agents. The lifetime is the one that was asked for: what is left of a consent shrinks meanwhile.
 */
export function bindingHash(chain: Chain, call: ToolCall, level: 'L2' | 'L3'): Digest {
  return digestOf({
    ...exactCall(chain, call),
    consent_id: chain.consent.id,
    level,
    path: chain.hops.map(({ agent }) => agent),
  })
}

/** The request as one run of one agent made it, key included (`jkt` is null where a gateway asks). */
export function requestHash(chain: Chain, call: ToolCall): Digest {
  const { agent, jkt, tokenHash, depth } = leafOf(chain)
  return digestOf({
    ...exactCall(chain, call),
    chain: depth === 0 ? null : tokenHash,
    client_id: agent,
    consent_id: chain.consent.id,
    jkt,
  })
}

function exactCall({ consent, effective }: Chain, call: ToolCall) {
  const { tool, argsHash, purpose, ttlSeconds } = call
  return {
    args_hash: argsHash,
    purpose: purpose ?? effective.purpose,
    sub: consent.sponsor,
    target: tool.target,
    tool: tool.name,
    tool_hash: tool.hash,
    ttl_seconds: ttlSeconds,
  }
}
