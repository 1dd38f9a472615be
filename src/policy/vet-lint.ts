/** Pure: what is wrong with one policy beyond what Cedar's validator sees. Runs in the vetting worker. */
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import type { Finding } from './findings.ts'

type Told = Pick<Finding, 'what' | 'fix'>

const KNOWN = new Set(['id', 'say', 'ask', 'how', 'within'])
const ID = /^[a-z][a-z0-9-]{1,62}$/
const WITHIN = /^([1-9]\d{0,4})([smh])$/
const SECONDS = { s: 1, m: 60, h: 3600 }
const WITHIN_MAX = 86_400
const DEPTH_MAX = 100

export function lint(policy: PolicyJson): Told[] {
  const marks = { ...policy.annotations }
  return [
    ...annotationMistakes(policy.effect, marks),
    ...scopeMistakes(policy),
    ...gateMistakes(policy, 'ask' in marks),
    ...factMistakes(policy),
  ]
}

/** `10m` → 600. `null` for what is no length of time, or longer than a day. */
export function secondsWithin(text: string): number | null {
  const [, count, unit] = WITHIN.exec(text) ?? []
  if (unit !== 's' && unit !== 'm' && unit !== 'h') return null
  const seconds = Number(count) * SECONDS[unit]
  return seconds <= WITHIN_MAX ? seconds : null
}

function annotationMistakes(effect: string, marks: Readonly<Record<string, string>>): Told[] {
  const found: Told[] = []
  for (const name of Object.keys(marks)) {
    if (!KNOWN.has(name))
      found.push(
        told(`@${name} means nothing here`, `Use ${[...KNOWN].map((n) => `@${n}`).join(', ')}.`),
      )
  }
  if (!ID.test(marks['id'] ?? '')) {
    found.push(
      told(
        'it has no @id of a-z, 0-9 and -',
        'Records and people know a rule by its @id: give it one.',
      ),
    )
  }
  if (effect === 'forbid' && (marks['say'] ?? '').trim() === '') {
    found.push(
      told(
        'a forbid without @say',
        'Say in a few words what is refused: whoever is refused reads it.',
      ),
    )
  }
  if ('ask' in marks && effect !== 'forbid') {
    found.push(
      told(
        '@ask on a permit',
        'Any other permit would go round it: make it a forbid … unless { context.approved }.',
      ),
    )
  }
  if ('ask' in marks && (marks['ask'] ?? '').trim() === '') {
    found.push(told('@ask names nobody', 'Name the group whose members may approve, or "sponsor".'))
  }
  if (!('ask' in marks) && ('how' in marks || 'within' in marks)) {
    found.push(told('@how and @within belong to @ask', 'Add @ask, or leave them out.'))
  }
  if ('how' in marks && marks['how'] !== 'session' && marks['how'] !== 'passkey') {
    found.push(told('@how is "session" or "passkey"', 'Choose one.'))
  }
  if ('within' in marks && secondsWithin(marks['within'] ?? '') === null) {
    found.push(told('@within is a time like "10m", at most "24h"', 'Write a number and s, m or h.'))
  }
  return found
}

/** A permit for every action would permit consents and whatever is declared tomorrow. */
function scopeMistakes({ effect, action }: PolicyJson): Told[] {
  if (effect !== 'permit' || action.op !== 'All') return []
  return [told('a permit for every action', 'Name them: action == Action::"sql.query".')]
}

/** `context.approved` is the one thing that a person's yes changes; it stands where it can only lift. */
function gateMistakes(policy: PolicyJson, isGate: boolean): Told[] {
  const lifts = policy.conditions.filter(({ kind, body }) => kind === 'unless' && isLift(body))
  const others = policy.conditions.filter((condition) => !lifts.includes(condition))
  const fix = 'Write exactly: unless { context.approved }, in a forbid with @ask.'
  if (others.some(({ body }) => some(body, isApproved))) {
    return [told('context.approved is used in a condition of another form', fix)]
  }
  if (isGate && lifts.length === 0) return [told('nothing lifts it, although it asks', fix)]
  if (!isGate && lifts.length > 0)
    return [told('it is lifted by a yes that nobody is asked for', fix)]
  if (policy.conditions.some(({ body }) => some(body, isWholeContext))) {
    return [told('it compares the whole context', 'Name the members: context.purpose.')]
  }
  return []
}

/** The empty set contains nothing else than what is allowed, and is what an unread text gives. */
function factMistakes({ effect, conditions }: PolicyJson): Told[] {
  const has = (test: (node: object) => boolean) => conditions.some(({ body }) => some(body, test))
  const usesContainsAll = has((node) => 'containsAll' in node)
  const marks = has((node) => isAttribute(node, 'opaque') || 'isEmpty' in node)
  if (
    effect !== 'permit' ||
    !usesContainsAll ||
    marks ||
    !has((node) => isAttribute(node, 'facts'))
  ) {
    return []
  }
  const fix =
    'An empty set is contained in every set: ask for context.facts.opaque == false as well.'
  return [told('containsAll without a positive marker', fix)]
}

/** Whether an expression is nested too deep to be evaluated: the evaluator does not survive it. */
export function isTooDeep({ conditions }: PolicyJson): boolean {
  // Each operator is two levels of JSON: its name, and its operands.
  let level: unknown[] = conditions.map(({ body }) => body)
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > 2 * DEPTH_MAX) return true
    level = level.flatMap((node) =>
      typeof node === 'object' && node !== null ? (Object.values(node) as unknown[]) : [],
    )
  }
  return false
}

/** Whether a rule looks through an agent to its sponsor. */
export function looksAtSponsor({ conditions }: PolicyJson): boolean {
  return conditions.some(({ body }) => some(body, (node) => isAttribute(node, 'sponsor')))
}

/** Exactly `context.approved`. */
function isLift(node: object): boolean {
  const access: unknown = '.' in node ? node['.'] : null
  if (typeof access !== 'object' || access === null || !('left' in access)) return false
  const { left } = access
  return isApproved(node) && typeof left === 'object' && left !== null && isContext(left)
}

function isApproved(node: object): boolean {
  return isAttribute(node, 'approved')
}

function isAttribute(node: object, name: string): boolean {
  const access: unknown = ('.' in node && node['.']) || ('has' in node && node.has)
  if (typeof access !== 'object' || access === null || !('attr' in access)) return false
  return access.attr === name || (Array.isArray(access.attr) && access.attr.includes(name))
}

/** `context` where it is not followed by a member. */
function isWholeContext(node: object): boolean {
  return Object.entries(node).some(
    ([name, operand]) => name !== '.' && name !== 'has' && holdsContext(operand),
  )
}

function holdsContext(operand: unknown): boolean {
  if (typeof operand !== 'object' || operand === null) return false
  return Object.values(operand).some(
    (value: unknown) => typeof value === 'object' && value !== null && isContext(value),
  )
}
const isContext = (value: object) => 'Var' in value && value.Var === 'context'

function some(root: unknown, test: (node: object) => boolean): boolean {
  const left: unknown[] = [root]
  while (left.length > 0) {
    const node = left.pop()
    if (typeof node !== 'object' || node === null) continue
    if (!Array.isArray(node) && test(node)) return true
    left.push(...(Object.values(node) as unknown[]))
  }
  return false
}

const told = (what: string, fix: string): Told => ({ what, fix })
