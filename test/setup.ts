/** Before each file of tests: nothing but loopback is reached, and nothing is left running. */
import { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, expect } from 'vitest'

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3})$/
const connect = Reflect.get(Socket.prototype, 'connect') as (...args: unknown[]) => Socket

/** `net.connect` hands its options over inside an array; `connect(port, host)` is the old form. */
function connectToLoopback(this: Socket, ...args: unknown[]): Socket {
  const [first, second] = Array.isArray(args[0]) ? (args[0] as unknown[]) : args
  const isOptions = typeof first === 'object' && first !== null
  const { path, host } = (isOptions ? first : { host: second }) as { path?: string; host?: unknown }
  if (!path && typeof host === 'string' && !LOOPBACK.test(host)) {
    throw new Error(`Tests reach loopback and nothing else: ${host}`)
  }
  return connect.apply(this, args)
}
Socket.prototype.connect = connectToLoopback

const KINDS = ['TCPServerWrap', 'TCPSocketWrap', 'ProcessWrap', 'Timeout']

/** What would keep a program from ending. */
function stillOpen(): string[] {
  return process.getActiveResourcesInfo().filter((name) => KINDS.includes(name))
}

// Hooks run in reverse: what the file's own hooks end has been ended by now, but closes a moment late.
afterAll(async () => {
  const deadline = performance.now() + 5000
  while (stillOpen().length > 0 && performance.now() < deadline) await pause(20)
  expect(stillOpen(), 'still open when the tests of this file were over').toEqual([])
})
