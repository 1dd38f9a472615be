/** Servers that are not ours and that tests talk to: there already, or installed where that is allowed. */
import { execFileSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * Why these programs cannot be run here; `null`: they can. In CI, where we may, the Debian packages
 * are installed; anywhere else a machine is left as it is, and the tests say what they miss.
 */
export function missing(programs: readonly string[], packages: readonly string[]): string | null {
  const absent = () => programs.filter((program) => !isThere(program))
  if (absent().length > 0 && process.env['CI'] === 'true' && process.getuid?.() === 0) {
    install(packages)
  }
  const [first] = absent()
  return first === undefined ? null : `${first} is not installed`
}

/** No service of a package is started: tests start their own, on ports of their own. */
function install(packages: readonly string[]): void {
  const get = (...args: string[]) => {
    execFileSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=300', ...args], {
      stdio: 'ignore',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    })
  }
  const add = () => {
    get('install', '-y', '--no-install-recommends', ...packages)
  }
  try {
    add()
  } catch {
    // Nothing is known of packages until the lists have been fetched once. Without them it is skipped.
    try {
      get('update')
      add()
    } catch (error) {
      console.error(`apt-get: ${error instanceof Error ? error.message : 'failed'}`)
    }
  }
}

function isThere(program: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return [...folders, '/usr/sbin'].some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
