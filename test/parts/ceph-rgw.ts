/**
 * A throwaway Ceph on loopback: one monitor, one OSD in memory, one RADOS Gateway. An STS, an IAM and
 * an S3 that nobody here wrote, and that hold to trust policies, session policies and expiry.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '../../src/cli/free-port.ts'
import { missing } from './packages.ts'

/** Why it cannot be run here; `null`: it can. */
export const whyNoCephRgw =
  process.platform === 'linux'
    ? missing(
        ['setpriv', 'radosgw', 'radosgw-admin', 'ceph-mon', 'ceph-osd', 'monmaptool'],
        ['radosgw', 'ceph-mon', 'ceph-osd'],
      )
    : 'Ceph is a thing of Linux'

export interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export interface CephRgw {
  readonly endpoint: string
  /** May manage roles and the policies in them, and assume what a trust policy lets it. */
  readonly admin: Keys
  /** A user that no trust policy names. */
  readonly stranger: Keys
  /** The gateway goes away, its data stays. */
  stop(): Promise<void>
  /** At once, without a word to the cluster. */
  kill(): Promise<void>
  start(): Promise<void>
  end(): Promise<void>
}

const UP_MS = 60_000
const POOLS = ['control', 'meta', 'log', 'buckets.index', 'buckets.data', 'buckets.non-ec']

export async function startCephRgw(): Promise<CephRgw> {
  const dir = mkdtempSync(join(tmpdir(), 'procura-ceph-'))
  const daemons: ChildProcess[] = []
  const conf = join(dir, 'ceph.conf')
  /** It goes with us, however we go. */
  const daemon = (program: string, ...args: string[]) => {
    const all = ['--pdeathsig', 'KILL', program, '-f', '-c', conf, ...args]
    const child = spawn('setpriv', all, { stdio: 'ignore' })
    daemons.push(child)
    return child
  }
  const end = async () => {
    await Promise.all(daemons.map((child) => kill(child)))
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    await startCluster(dir, conf, daemon)
    const port = await freePort('127.0.0.1')
    const endpoint = `http://127.0.0.1:${String(port)}`
    const front = `beast endpoint=127.0.0.1:${String(port)} tcp_nodelay=1`
    let gateway = daemon('radosgw', '-n', 'client.rgw', '--rgw-frontends', front)
    await answers(endpoint)
    const admin = await aUser(conf, 'broker', 'roles=*;user-policy=*;oidc-provider=*')
    const stranger = await aUser(conf, 'stranger')
    return {
      ...{ endpoint, admin, stranger, end },
      // Killed, it is waited for, a second each time: by the next one, whenever a policy is written.
      stop: () => kill(gateway, 'SIGTERM'),
      kill: () => kill(gateway),
      async start() {
        gateway = daemon('radosgw', '-n', 'client.rgw', '--rgw-frontends', front)
        await answers(endpoint)
      },
    }
  } catch (error) {
    await end()
    throw error
  }
}

type Daemon = (program: string, ...args: string[]) => ChildProcess

async function startCluster(dir: string, conf: string, daemon: Daemon): Promise<void> {
  const [fsid, osd, monitor] = [
    randomUUID(),
    randomUUID(),
    `127.0.0.1:${String(await freePort('127.0.0.1'))}`,
  ]
  for (const folder of ['mon', 'osd', 'run', 'log', 'rgw']) mkdirSync(join(dir, folder))
  writeFileSync(conf, configuration(dir, { fsid, osd, monitor }))
  const [keyring, monmap] = [join(dir, 'keyring'), join(dir, 'monmap')]
  const key = (name: string, ...more: string[]) =>
    run('ceph-authtool', keyring, ...more, '--gen-key', '-n', name, '--cap', 'mon', 'allow *')
  await key('mon.', '--create-keyring')
  await key('client.admin', '--cap', 'osd', 'allow *')
  await run('monmaptool', '--create', '--fsid', fsid, '--addv', 'a', `[v1:${monitor}]`, monmap)
  const mon = ['--mkfs', '-i', 'a', '--monmap', monmap, '--keyring', keyring]
  await run('ceph-mon', '-c', conf, ...mon)
  daemon('ceph-mon', '-i', 'a')
  const pools = ['.rgw.root', ...POOLS.map((pool) => `default.rgw.${pool}`)]
  const orders = [
    `osd new ${osd}`,
    'osd crush add osd.0 1.0 root=default host=localhost',
    ...pools.map((pool) => `osd pool create ${pool} 1 replicated`),
  ]
  await tell(conf, orders)
  await run('ceph-osd', '-c', conf, '-i', '0', '--mkfs', '--osd-uuid', osd)
  daemon('ceph-osd', '-i', '0')
}

interface Names {
  readonly fsid: string
  readonly osd: string
  readonly monitor: string
}

/** One host, one copy, no passwords between its own parts, sessions of a second. */
function configuration(dir: string, { fsid, osd, monitor }: Names): string {
  return [
    ...['[global]', `fsid = ${fsid}`, `mon_host = v1:${monitor}`],
    ...['public_addr = 127.0.0.1', 'cluster_addr = 127.0.0.1', 'public_network = 127.0.0.0/8'],
    ...['cluster', 'service', 'client'].map((of) => `auth_${of}_required = none`),
    ...['ms_bind_msgr2 = false', 'osd_pool_default_size = 1', 'osd_pool_default_min_size = 1'],
    ...['osd_pool_default_pg_num = 1', 'osd_pool_default_pgp_num = 1'],
    ...['osd_pool_default_pg_autoscale_mode = off', 'osd_crush_chooseleaf_type = 0'],
    ...['mon_allow_pool_size_one = true', 'mon_warn_on_pool_no_redundancy = false'],
    ...[`run_dir = ${dir}/run`, 'admin_socket =', `log_file = ${dir}/log/$name.log`],
    ...[`pid_file = ${dir}/run/$name.pid`, `keyring = ${dir}/keyring`],
    ...['[mon]', `mon_data = ${dir}/mon`, `mon_cluster_log_file = ${dir}/log/cluster.log`],
    ...['paxos_propose_interval = 0.02', 'paxos_min_wait = 0.01'],
    ...['[osd]', `osd_data = ${dir}/osd`, `osd_uuid = ${osd}`, 'osd_objectstore = memstore'],
    ...['memstore_device_bytes = 1073741824', 'osd_class_load_list = *'],
    ...['osd_class_default_list = *', 'osd_class_update_on_start = false'],
    'osd_crush_update_on_start = false',
    ...['[client.rgw]', `rgw_data = ${dir}/rgw`, 'rgw_s3_auth_use_sts = true'],
    ...[`rgw_sts_key = ${randomBytes(8).toString('hex')}`, 'rgw_sts_min_session_duration = 1'],
    ...['rgw_enable_ops_log = false', 'rgw_dns_name = localhost'],
    ...['client_notify_timeout = 1', 'rgw_max_notify_retries = 0', ''],
  ].join('\n')
}

async function aUser(conf: string, name: string, caps?: string): Promise<Keys> {
  const accessKeyId = randomBytes(10).toString('hex').toUpperCase()
  const secretAccessKey = randomBytes(20).toString('hex')
  const who = ['--uid', name, '--display-name', name]
  const keys = ['--access-key', accessKeyId, '--secret-key', secretAccessKey]
  const may = caps === undefined ? [] : ['--caps', caps]
  await run(
    'radosgw-admin',
    '-c',
    conf,
    '-n',
    'client.rgw',
    'user',
    'create',
    ...who,
    ...keys,
    ...may,
  )
  return { accessKeyId, secretAccessKey }
}

/** What the tool says, before it gives any order, at a monitor that knows nobody's rights yet. */
const TOO_EARLY = 'problem getting command descriptions'

/** One session of the tool for all of it: it is slow to start. */
async function tell(conf: string, orders: readonly string[]): Promise<void> {
  const deadline = performance.now() + UP_MS
  for (;;) {
    const tool = execFile('ceph', ['-c', conf], { timeout: UP_MS })
    tool.stdin?.end(`${orders.join('\n')}\n`)
    let said = ''
    tool.stderr?.on('data', (text: string) => (said += text))
    const [code] = (await once(tool, 'close')) as [number | null]
    if (code === 0) return
    if (!said.includes(TOO_EARLY) || performance.now() > deadline)
      throw new Error(`ceph ended with ${String(code)}: ${said}`)
    await pause(50)
  }
}

async function run(program: string, ...args: string[]): Promise<void> {
  await promisify(execFile)(program, args, { timeout: UP_MS })
}

async function answers(endpoint: string): Promise<void> {
  const deadline = performance.now() + UP_MS
  for (;;) {
    const answer = await fetch(endpoint).catch(() => null)
    await answer?.arrayBuffer()
    if (answer !== null) return
    if (performance.now() > deadline) throw new Error('the gateway did not start')
    await pause(50)
  }
}

async function kill(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
}
