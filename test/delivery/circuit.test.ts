import { expect, it } from 'vitest'
import { createCircuit } from '../../src/delivery/circuit.ts'
import { NoEffect } from '../../src/delivery/connector.ts'
import { unavailable } from '../../src/domain/problems.ts'

function aCircuit() {
  const clock = { now: 0 }
  const circuit = createCircuit(() => clock.now)
  const refused = new Error('left alone')
  /** What becomes of a call that takes three seconds and then fails. */
  return async (error: Error) =>
    await circuit
      .run(
        () => {
          clock.now += 3000
          return Promise.reject(error)
        },
        () => refused,
      )
      .catch((thrown: unknown) => (thrown === refused ? 'left alone' : 'asked'))
}

it('leaves a target alone that was slow three times in a row', async () => {
  const call = aCircuit()
  const slow = new Error('no answer')
  expect([await call(slow), await call(slow), await call(slow)]).toEqual(Array(3).fill('asked'))
  expect(await call(slow)).toBe('left alone')
})

it.each([
  ['unwraps', unavailable('keys', new Error('the token is away'))],
  ['signs', new NoEffect('nothing', { cause: unavailable('keys', new Error('it is away')) })],
])('does not take it for the target’s that nobody %s in time here', async (_, away) => {
  const call = aCircuit()
  for (let n = 0; n < 6; n += 1) expect(await call(away)).toBe('asked')
  const slow = new Error('no answer')
  for (const error of [slow, away, slow, away, slow]) expect(await call(error)).toBe('asked')
  expect(await call(away), 'nor for an answer of it').toBe('left alone')
})
