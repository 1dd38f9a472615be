/** SoftHSM in a folder of its own: a token that nobody here wrote, as a library and nothing that listens. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { missing } from './packages.ts'

const NO_LIBRARY = 'libsofthsm2.so is not where it is looked for'
const LIBRARIES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
]

/** Why it cannot be run here; `null`: it can. */
export const whyNoSoftHsm =
  missing(['softhsm2-util'], ['softhsm2']) ?? (library() === undefined ? NO_LIBRARY : noKoffi())

export const PIN = '48151623'

export interface SoftHsm {
  /** For processes; this one has it too. */
  readonly env: Readonly<Record<string, string>>
  readonly library: string
  readonly pinFile: string
  /** Of keys under this label. */
  uri(object: string): string
  /** Of the token, for keys that others name. */
  readonly signer: string
  /** It is pulled out, and put back. */
  withdraw(): void
  putBack(): void
  end(): void
}

export async function aSoftHsm(): Promise<SoftHsm> {
  const path = library() ?? ''
  const dir = mkdtempSync(join(tmpdir(), 'procura-token-'))
  const at = (name: string) => join(dir, name)
  mkdirSync(at('tokens'))
  writeFileSync(at('softhsm2.conf'), `directories.tokendir = ${at('tokens')}\nlog.level = ERROR\n`)
  writeFileSync(at('pin'), `${PIN}\n`, { mode: 0o600 })
  const env = { SOFTHSM2_CONF: at('softhsm2.conf') }
  const token = ['--init-token', '--free', '--label', 'procura', '--so-pin', '31415926']
  await promisify(execFile)('softhsm2-util', [...token, '--pin', PIN], {
    env: { ...process.env, ...env },
  })
  // The library reads it from the environment of its process.
  Object.assign(process.env, env)
  const how = `module-path=${path}&pin-source=file:${at('pin')}`
  return {
    ...{ env, library: path, pinFile: at('pin') },
    uri: (object) => `pkcs11:token=procura;object=${object}?${how}`,
    signer: `pkcs11:token=procura?${how}`,
    withdraw() {
      renameSync(at('tokens'), at('withdrawn'))
    },
    putBack() {
      renameSync(at('withdrawn'), at('tokens'))
    },
    end() {
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Looked for when it is needed: it may just have been installed. */
function library(): string | undefined {
  return LIBRARIES.find((path) => existsSync(path))
}

function noKoffi(): string | null {
  try {
    createRequire(import.meta.url).resolve('koffi')
    return null
  } catch {
    return 'koffi is not installed'
  }
}
