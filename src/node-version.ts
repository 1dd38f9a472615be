/** Which Node this is: too old to run us, or older than its own security fixes. */

const NEEDED = [22, 12, 0]
/** The first release of each line that has the fixes of October 2026. */
const PATCHED: Readonly<Record<number, readonly number[]>> = {
  22: [22, 23, 4],
  24: [24, 22, 1],
  26: [26, 12, 1],
}
const NEWEST_LINE = 26

/** What to do where this Node cannot run us; `null` where it can. */
export function cannotRun(version: string): string | null {
  if (isAtLeast(version, NEEDED)) return null
  return (
    `procura needs Node ${NEEDED.join('.')} or newer, and this is ${version}.\n` +
    'fix        npm scripts bring a Node of their own (npm ci, then npm start); or install Node 22 from https://nodejs.org'
  )
}

/** A warning where this Node lacks known security fixes; `null` where it has them. */
export function lacksFixes(version: string): string | null {
  const line = Number.parseInt(version, 10)
  const floor = PATCHED[line]
  const isFine = floor === undefined ? line > NEWEST_LINE : isAtLeast(version, floor)
  if (isFine) return null
  return `Node ${version} lacks security fixes: run ${(floor ?? [22, 23, 4]).join('.')} or newer`
}

function isAtLeast(version: string, floor: readonly number[]): boolean {
  const parts = version.split('.').map(Number)
  const differing = floor.findIndex((number, at) => (parts[at] ?? 0) !== number)
  return differing === -1 || (parts[differing] ?? 0) > (floor[differing] ?? 0)
}
