/** How a broker is started so that no text becomes code; and a look at how locked one is that runs. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** As in the Dockerfile; sup-start.test.ts holds the two together. */
export const LOCKED = [
  ...['--disable-proto=delete', '--disallow-code-generation-from-strings'],
  ...['--unhandled-rejections=strict', '--max-http-header-size=16384'],
].join(' ')

/** Makes a process tell on its way out what could still be changed or made of text in it. */
export const TELL = `--import ${pathToFileURL(join(import.meta.dirname, 'tell-locked.ts')).href}`
