/** What the demo shows, a line a step: done, looked at, and only then told. */
import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { Refused } from '../../client/errors.ts'
import { plain, printer } from '../print.ts'

/** Does the step, and tells what came of it: a text, or a text and what the next steps need. */
export type Tell = <T>(label: string, step: () => Promise<Told<T>>) => Promise<T>
export interface Told<T> {
  readonly text: string
  readonly value: T
}
export const told = <T>(text: string, value: T): Told<T> => ({ text, value })
export const onlyTold = (text: string): Told<null> => ({ text, value: null })

/** A step did not behave. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed'
  readonly label: string
  constructor(label: string, cause: unknown) {
    super(cause instanceof Error ? cause.message : 'unknown', { cause })
    this.label = label
  }
}

export interface Teller {
  readonly tell: Tell
  readonly shown: () => number
}

export function createTeller(): Teller {
  let shown = 0
  return {
    shown: () => shown,
    async tell(label, step) {
      try {
        const { text, value } = await step()
        shown += 1
        printer.line(label, text)
        return value
      } catch (cause) {
        throw new StepFailed(label, cause)
      }
    },
  }
}

/** @throws Error that says what was expected, unless it is so */
export function check(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(`expected: ${what}`)
}

/** The refusal that must come; anything else is a failure of the step. */
export async function refusal(
  attempt: Promise<unknown>,
  status: number,
  ...codes: readonly string[]
): Promise<Refused> {
  try {
    await attempt
  } catch (error) {
    if (error instanceof Refused && error.status === status && codes.includes(error.code)) {
      return error
    }
    if (!(error instanceof Refused)) throw error
    const got = `${String(error.status)} ${error.code}: ${error.message}`
    throw new Error(`expected ${String(status)} ${codes.join(' or ')}, got ${got}`)
  }
  throw new Error(`expected ${String(status)} ${codes.join(' or ')}, and it was allowed`)
}

/** `forbid …` and what would help, in the words of the API. */
export function whyNot({ message, problem }: Refused): string {
  const fix = problem['fix']
  return `${plain(message)}${typeof fix === 'string' ? `\n           fix: ${plain(fix)}` : ''}`
}

/** Waits for something that must become so; how long it took, in ms. */
export async function until(
  what: string,
  isSo: () => Promise<boolean> | boolean,
  seconds = 10,
): Promise<number> {
  const since = performance.now()
  while (!(await isSo())) {
    if (performance.now() - since > seconds * 1000) {
      throw new Error(`${what} did not come about within ${String(seconds)} s`)
    }
    await pause(25)
  }
  return performance.now() - since
}

export const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`
