/** Postgres refuses to run as root: root runs it, and what belongs to it, as somebody else. */
import { execFile, spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { promisify } from 'node:util'

export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** All that our Postgres gets of the environment: nothing of the broker's. */
export const CLEAN = { cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' } } as const

/** Who runs Postgres: whoever owns the data there are, else `postgres` or `nobody`; `null`: ourselves. */
export function ownerOf(existing: string | null): Owner | null {
  if (process.getuid?.() !== 0) return null
  const stat = existing === null ? null : statSync(existing)
  if (stat && stat.uid !== 0) return { uid: stat.uid, gid: stat.gid }
  const people = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = people.find((line) => line.startsWith(`${name}:`))?.split(':') ?? []
    if (Number(uid) > 0) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error(
    'PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as. ' +
      'Add one (useradd --system postgres), start as an ordinary user, or set DATABASE_URL.',
  )
}

/** Runs a program as the owner. Rejects with what it wrote when it fails. */
export async function runAs(owner: Owner | null, program: string, args: readonly string[]) {
  const { stdout } = await promisify(execFile)(program, args, { ...CLEAN, ...owner })
  return stdout
}

/** Whether the owner can get into that folder: asked of the system, which knows more than the modes. */
export function canEnter(owner: Owner, folder: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], { ...CLEAN, ...owner }).status === 0
}

/**
 * Whether any process works in that folder of the owner's. Asked as the owner: in a container root
 * may not see where others work. Where the system does not tell, one might.
 */
export function mayBeWorkedIn(owner: Owner | null, folder: string): boolean {
  if (process.platform !== 'linux') return true
  const look = 'for cwd in /proc/[0-9]*/cwd; do [ "$cwd" -ef "$1" ] && exit 0; done; exit 1'
  return spawnSync('/bin/sh', ['-c', look, 'sh', folder], { ...CLEAN, ...owner }).status !== 1
}
