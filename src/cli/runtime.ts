/** What the broker runs on: whether this Node will do, and what is locked before it serves. */
import { setFlagsFromString } from 'node:v8'
import { lacksFixes } from '../node-version.ts'
import { CommandError, EXIT } from './exit.ts'
import { harden } from './harden.ts'
import { printer } from './print.ts'

/** Node's own switch, which a program that runs already cannot turn. */
const NO_CODE = '--disallow-code-generation-from-strings'

/** What is dead may take so much of what is alive, in percent; V8 would let it take up to three times that. */
const HEAP_GROWS_BY = 100

/** Loads the server, then locks the built-ins of this process: nothing is loaded after that. */
export async function loadServer() {
  setFlagsFromString(`--heap-growing-percent=${String(HEAP_GROWS_BY)}`)
  const { startServer } = await import('../server.ts')
  harden()
  return startServer
}

/** What should be mended about how it was started. */
export function warnings(): string[] {
  const old = lacksFixes(process.versions.node)
  const isSet = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].join(' ').includes(NO_CODE)
  const open = `text can become code here: start it with NODE_OPTIONS=${NO_CODE}`
  return [...(old === null ? [] : [old]), ...(isSet ? [] : [open])]
}

/** @throws CommandError on a Node without known fixes, if `isStrict`; otherwise it is only told */
export function admitRuntime(isStrict: boolean, version = process.versions.node): void {
  const lacking = lacksFixes(version)
  if (lacking === null) return
  if (isStrict) throw new CommandError(`${lacking} (--strict-runtime)`, EXIT.usage)
  printer.note(`warning    ${lacking}`)
}
