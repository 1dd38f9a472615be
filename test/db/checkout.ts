/**
 * A checkout somewhere else, with no install script ever run, and a program in it that holds an
 * embedded server as a broker does: until its input ends, or until it is killed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, lstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import { findBinaries, type Source } from '../../src/db/embedded/binaries.ts'
import { canEnter, type Owner, ownerOf } from '../../src/db/embedded/owner.ts'
import { locatePackage, packageName } from '../../src/db/embedded/package.ts'

const DB = join(import.meta.dirname, '..', '..', 'src', 'db')

export const isRoot = process.getuid?.() === 0
export const NOBODY: Owner = { uid: 65534, gid: 65534 }

export const hasPackage = locatePackage() !== null
export const hasMachine = await findBinaries({
  ...{ owner: ownerOf(null), prefer: 'machine', major: null, spare: '/' },
}).then(
  () => true,
  () => false,
)
const needed = hasMachine ? 'without it' : 'with the package' // It is 60 MB.

const PROGRAM = `
import { startEmbedded } from './src/db/embedded.ts'
const [dataDir, prefer] = process.argv.slice(2)
const { stop, ...server } = await startEmbedded({ dataDir, ...(prefer ? { prefer } : {}) })
process.stdout.write(JSON.stringify(server) + '\\n')
for await (const _ of process.stdin);
await stop()
`

export interface Checkout {
  readonly path: string
  /** Starts the program there. Rejects with what it said where the server does not start. */
  readonly hold: (
    dataDir: string,
    how?: { readonly as?: Owner; readonly prefer?: Source },
  ) => Promise<Holder>
}

export interface Holder {
  readonly url: string
  readonly version: string
  readonly source: Source
  readonly pid: number
  /** Ends its input and waits for its end; its exit code. */
  readonly end: () => Promise<number | null>
  /** As by `kill -9`. */
  readonly kill: () => Promise<void>
}

/** A folder that is removed after the test. */
export function folder(mode = 0o755): string {
  const path = mkdtempSync(join(tmpdir(), 'procura-db-'))
  chmodSync(path, mode)
  onTestFinished(() => {
    rmSync(path, { recursive: true, force: true })
  })
  return path
}

/** This project's sources in a folder of their own; with the optional package, as npm unpacks it. */
export function checkout(packaged: 'with the package' | 'without it' = needed): Checkout {
  const path = folder()
  cpSync(DB, join(path, 'src', 'db'), { recursive: true })
  writeFileSync(join(path, 'package.json'), '{"type":"module"}')
  writeFileSync(join(path, 'hold.ts'), PROGRAM)
  const found = packaged === 'with the package' ? locatePackage() : null
  if (found) {
    const filter = (file: string) => !lstatSync(file).isSymbolicLink() && !file.endsWith('.a')
    cpSync(found.root, join(path, 'node_modules', packageName()), { recursive: true, filter })
  }
  return { path, hold: (dataDir, how = {}) => hold(path, dataDir, how) }
}

async function hold(
  path: string,
  dataDir: string,
  { as, prefer }: { readonly as?: Owner; readonly prefer?: Source },
): Promise<Holder> {
  const args = [join(path, 'hold.ts'), dataDir, ...(prefer ? [prefer] : [])]
  const child = spawn(nodeFor(as, path), args, { cwd: path, stdio: 'pipe', ...as })
  onTestFinished(() => void child.kill('SIGKILL'))
  const said = text(child.stderr)
  const line = await firstLine(child)
  if (line === null) throw new Error(await said)
  const ended = once(child, 'exit')
  return {
    ...(JSON.parse(line) as Pick<Holder, 'url' | 'version' | 'source'>),
    pid: child.pid ?? 0,
    async end() {
      child.stdin.end()
      await ended
      return child.exitCode
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** An ordinary user may be unable to reach ours. */
function nodeFor(user: Owner | undefined, path: string): string {
  if (!user || canEnter(user, dirname(process.execPath))) return process.execPath
  const copy = join(path, 'node')
  cpSync(process.execPath, copy)
  return copy
}

async function firstLine({ stdout }: ChildProcess): Promise<string | null> {
  if (stdout) for await (const line of createInterface(stdout)) return line
  return null
}
