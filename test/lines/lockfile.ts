/** What package-lock.json pins, as the lines on it read it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '..', '..')

export interface Pinned {
  /** `node_modules/pg` */
  readonly path: string
  readonly name: string
  readonly version?: string
  readonly resolved?: string
  readonly integrity?: string
  /** Of several, whichever one likes. */
  readonly license?: string | readonly { readonly type: string }[]
  readonly dev?: boolean
  readonly optional?: boolean
  readonly link?: boolean
  readonly hasInstallScript?: boolean
}

export interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
}

export const readRoot = (file: string) => readFileSync(join(ROOT, file), 'utf8')

export const manifest = () => JSON.parse(readRoot('package.json')) as Manifest

/** Every package of a lockfile, but the one it is of. */
export function pinned(text = readRoot('package-lock.json')): Pinned[] {
  const { packages } = JSON.parse(text) as { packages: Record<string, Omit<Pinned, 'path'>> }
  return Object.entries(packages)
    .filter(([path]) => path !== '')
    .map(([path, it]) => ({ ...it, path, name: path.replace(/^.*node_modules\//, '') }))
}

/** What runs at work: neither for development nor a platform's binaries. */
export const runtime = () => pinned().filter(({ dev, optional }) => !dev && !optional)
