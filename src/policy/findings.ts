/** What is wrong with a candidate policy set, in words that say how to mend it. */

export interface Finding {
  /** As in the folder: `sql.cedar`, `tools/sql.query.yaml`. */
  readonly file: string
  /** The rule's `@id`, a case's name, or `null` for the file itself. */
  readonly rule: string | null
  readonly what: string
  readonly fix: string
}

/** A set that will not be put in force. The one that is in force goes on deciding. */
export class PolicySetRefused extends Error {
  override readonly name = 'PolicySetRefused'
  readonly findings: readonly Finding[]

  constructor(findings: readonly Finding[]) {
    super(findings.map(inOneLine).join('\n'))
    this.findings = findings
  }
}

/** The time for it ran out: nothing is known of it, and it may be looked at again. */
export class PolicySetUnchecked extends Error {
  override readonly name = 'PolicySetUnchecked'

  constructor(limitMs: number) {
    super(`the policy set could not be checked in time (${String(limitMs / 1000)} s)`)
  }
}

export function inOneLine({ file, rule, what, fix }: Finding): string {
  return `${file}${rule === null ? '' : ` (${rule})`}: ${what}. ${fix}`
}
