/** npm as somebody here would run it, and a registry of our own for it to ask. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { onTestFinished } from 'vitest'
import { tree } from '../fakes/tree.ts'
import { type Pinned, pinned, ROOT } from './lockfile.ts'

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** By this run's Node. What npm was told of its surroundings (`npm_config_…`) is not handed on. */
export async function run(command: string, args: readonly string[], cwd = ROOT): Promise<Ran> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('npm_'))
  const PATH = [dirname(process.execPath), process.env['PATH']].join(delimiter)
  const child = spawn(command, args, { cwd, env: { ...Object.fromEntries(own), PATH } })
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject).once('close', (status) => {
      resolve(status ?? -1)
    })
  })
  return {
    code,
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  }
}

export interface Registry {
  /** In an empty project with this `.npmrc`; nothing but the lockfile is written. */
  readonly install: (npmrc: string, spec: string, flags?: readonly string[]) => Promise<Ran>
  readonly locked: () => Pinned[]
}

/** Has one package, `left`: its versions, and how many milliseconds ago each was published. */
export async function aRegistry(ages: Readonly<Record<string, number>>): Promise<Registry> {
  const server = createServer((req, res) => {
    answer(req, res, ages)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  })
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  const where = tree({ 'package.json': '{"name":"a-project","version":"1.0.0"}' })
  return {
    async install(npmrc, spec, flags = []) {
      const config = tree({
        '.npmrc': npmrc,
        'package.json': readFileSync(join(where, 'package.json'), 'utf8'),
      })
      const only = ['--package-lock-only', '--prefix', where, '--cache', join(config, 'cache')]
      const asked = [
        'install',
        ...flags,
        ...only,
        '--registry',
        url,
        '--userconfig',
        join(config, '.npmrc'),
      ]
      return await run('npm', [...asked, '--fetch-retries=0', spec], where)
    },
    locked: () => pinned(readFileSync(join(where, 'package-lock.json'), 'utf8')),
  }
}

const TARBALL = gzipSync(Buffer.alloc(1024))

function answer(req: IncomingMessage, res: ServerResponse, ages: Readonly<Record<string, number>>) {
  if (req.url !== '/left') {
    res.writeHead(404).end('{}')
    return
  }
  const integrity = `sha512-${createHash('sha512').update(TARBALL).digest('base64')}`
  const host = `http://${req.headers.host ?? ''}`
  const versions = Object.keys(ages).map((version) => [
    version,
    { name: 'left', version, dist: { integrity, tarball: `${host}/left/-/left-${version}.tgz` } },
  ])
  const time = Object.entries(ages).map(([version, age]) => [
    version,
    new Date(Date.now() - age).toISOString(),
  ])
  const latest = Object.keys(ages).at(-1)
  const document = {
    ...{ name: 'left', 'dist-tags': { latest } },
    ...{
      versions: Object.fromEntries(versions) as object,
      time: Object.fromEntries(time) as object,
    },
  }
  res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document))
}
