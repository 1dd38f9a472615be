/** What every connector promises: each connector's own test is a call into this. */
import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { NoEffect } from '../../src/delivery/connector.ts'
import { within } from '../../src/delivery/deadline.ts'
import type { Target } from '../../src/delivery/targets.ts'
import { type Intent, type Issued, KIND_OF } from '../../src/domain/lease.ts'
import { Secret } from '../../src/domain/secret.ts'

export interface Subject {
  readonly target: Target
  /** A fresh intent that this target can fulfil. */
  readonly intent: (of?: Partial<Intent>) => Intent
  /** Asked of the target itself: whether the credential opens anything. `null`: its lease decides. */
  readonly works: ((issued: Issued) => Promise<boolean>) | null
  /** Whether something has this name at the target. */
  readonly exists: (downstreamName: string) => Promise<boolean>
  /** Nobody there can be asked whether there ever was something of a name. */
  readonly isUnsure?: true
}

export function keepsItsPromises(make: () => Promise<Subject>): void {
  const issue = ({ target }: Subject, intent: Intent) =>
    within(5000, (signal) => target.issue(intent, signal))
  const nothing = ({ isUnsure }: Subject) => ({ found: isUnsure === true })
  const revoke = ({ target }: Subject, name: string) =>
    within(5000, (signal) => target.revoke(name, signal))

  it('makes what was intended, for no longer than was intended', async () => {
    const subject = await make()
    const intent = subject.intent()
    const issued = await issue(subject, intent)
    expect(issued.kind).toBe(KIND_OF[subject.target.connector.name])
    expect(issued.expiresAt.getTime()).toBeLessThanOrEqual(intent.expiresAt.getTime())
    if (subject.works) expect(await subject.works(issued)).toBe(true)
    await revoke(subject, intent.downstreamName)
  })

  it('ends it by its name alone, and says so however often it is asked', async () => {
    const subject = await make()
    const intent = subject.intent()
    const issued = await issue(subject, intent)
    await revoke(subject, intent.downstreamName)
    if (subject.works) expect(await subject.works(issued)).toBe(false)
    expect(await subject.exists(intent.downstreamName)).toBe(false)
    expect(await revoke(subject, intent.downstreamName)).toEqual(nothing(subject))
  })

  it('says that a name that was never used is over', async () => {
    const subject = await make()
    const name = subject.intent().downstreamName
    expect(await revoke(subject, name)).toEqual(nothing(subject))
  })

  it('makes nothing, and says so, of permissions that are not its own', async () => {
    const subject = await make()
    const intent = subject.intent({ permissions: { roles: 'postgres', aud: 'another' } })
    await expect(issue(subject, intent)).rejects.toThrow(NoEffect)
    expect(await subject.exists(intent.downstreamName)).toBe(false)
  })

  it('prints no secret', async () => {
    const subject = await make()
    const intent = subject.intent()
    const issued = await issue(subject, intent)
    const secrets = Object.values(issued.credential)
      .flatMap((value) => (isSecrets(value) ? Object.values(value) : value))
      .filter((value) => value instanceof Secret)
    // What is called through the broker has none to give.
    if (issued.kind !== 'proxy') expect(secrets.length).toBeGreaterThan(0)
    for (const secret of secrets) {
      expect(inspect(issued, { depth: 9, showHidden: true })).not.toContain(secret.reveal())
      expect(JSON.stringify(issued)).not.toContain(secret.reveal())
    }
    await revoke(subject, intent.downstreamName)
  })
}

const isSecrets = (value: unknown): value is Readonly<Record<string, Secret>> =>
  typeof value === 'object' && !(value instanceof Secret)
