/** Pure: the Cedar schema that follows from the tools: an action each, with the facts it has. */
import { type Digest, digestOf } from '../domain/digest.ts'
import type { Catalogue } from './catalogue.ts'
import type { Shape } from './facts/kinds.ts'

const HEAD = `// Generated from tools/*.yaml: node test/policies/write-schema.ts
entity Sponsor = { groups: Set<String> };
entity Agent = { sponsor: Sponsor, tier: String, tier_attested: Bool };
entity ToolGroup;
entity Tool in [ToolGroup] = { risk: Long, target: String };

// A sponsor consents that an agent may use a tool.
action "consent" appliesTo {
  principal: [Sponsor],
  resource: [Tool],
  context: {
    purpose: String, external_trigger: Bool, max_uses: Long, max_hops: Long, max_ttl_seconds: Long,
    now: datetime
  }
};

// An agent hands a tool on to another, at this depth. The consent says to whom; rules can only forbid.
action "delegate" appliesTo {
  principal: [Agent],
  resource: [Tool],
  context: {
    purpose: String, external_trigger: Bool, depth: Long, delegate: String, same_sponsor: Bool,
    now: datetime
  }
};
`

/** The text, and the digest that decisions name. */
export function cedarSchema(catalogue: Catalogue): { text: string; hash: Digest } {
  const actions = [...catalogue]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, { shape }]) => action(name, shape))
  const text = [HEAD, ...actions].join('\n')
  return { text, hash: digestOf(text) }
}

function action(name: string, shape: Shape): string {
  const facts = Object.entries(shape).map(([fact, type]) => `${fact}: ${type}`)
  return `action "${name}" appliesTo {
  principal: [Sponsor, Agent],
  resource: [Tool],
  context: {
    purpose: String,
    external_trigger: Bool,
    depth: Long,
    approved: Bool,
    ttl_seconds: Long,
    uses_left: Long,
    now: datetime,
    sender_constraint: String,
    facts: { ${facts.join(', ')} }
  }
};
`
}
