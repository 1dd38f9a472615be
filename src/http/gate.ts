/** The gate that a request goes through when it is whole, before anybody works on it. */
import type { RequestHandler } from 'express'
import { type Call, callOf, presentsSession } from './call.ts'
import type { Gate, Gates } from './places.ts'

/** Waits for a place, which is held until the call releases it, whether or not the caller stays. */
export const passGate: RequestHandler = (req, res, next) => {
  const call = callOf(res)
  const { gates } = call
  if (gates === null) {
    next()
    return
  }
  const gate = gateFor(gates, call, presentsSession(req))
  const giveUp = gate.ask(() => {
    let isHeld = true
    call.release = () => {
      if (isHeld) gate.leave()
      isHeld = false
    }
    next()
  }, next)
  if (giveUp !== null) res.once('close', giveUp)
}

/** Whoever only claims to be a person, or an agent, is refused at that gate and at no other. */
function gateFor(gates: Gates, { door, face }: Call, isSession: boolean): Gate {
  if (door === 'public') return gates.public
  // What is posted to /oauth shows who calls in the form, and no person calls there.
  const isPerson = door === 'person' || (door === 'either' && !isSession && face !== 'oauth')
  return isPerson ? gates.people : gates.agents
}
