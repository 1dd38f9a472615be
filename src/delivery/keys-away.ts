/** Our own keys could not be had, so that nobody at the target was asked: that says nothing of the target. */
import { BrokerError } from '../domain/problems.ts'
import { NoEffect } from './connector.ts'

/** What says so; `null`: it was something else. */
export function keysAway(cause: unknown): BrokerError | null {
  const error = cause instanceof NoEffect ? cause.cause : cause
  const isKeys = error instanceof BrokerError && error.shown.evaluation?.unavailableInput === 'keys'
  return isKeys ? error : null
}
