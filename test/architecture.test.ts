import { globSync, readFileSync } from 'node:fs'
import {
  cruise,
  type ICruiseOptions,
  type ICruiseResult,
  type IForbiddenRuleType,
} from 'dependency-cruiser'
import { describe, expect, it } from 'vitest'
// @ts-expect-error -- plain CommonJS, shared with the command line
import rules from '../.dependency-cruiser.cjs'
import { tree } from './fakes/tree.ts'

const { forbidden, options } = rules as {
  readonly forbidden: (IForbiddenRuleType & { readonly name: string })[]
  readonly options: ICruiseOptions
}
const ROOT = `${import.meta.dirname}/..`
const SOURCES = globSync('src/**/*.ts', { cwd: ROOT }).sort()
const read = (path: string) => readFileSync(`${ROOT}/${path}`, 'utf8')

/** What a cruise of `src/` finds: the walls that are broken, and by whom. */
async function violations(baseDir: string) {
  const ruleSet = { forbidden }
  const { output } = await cruise(['src'], { ...options, baseDir, ruleSet, validate: true })
  const { summary } = output as ICruiseResult
  return {
    modules: summary.totalCruised,
    broken: summary.violations.map(({ rule }) => rule.name),
    told: summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`),
  }
}

describe('the walls', () => {
  it('stand, and were looked at: a cruise of nothing would also find nothing', async () => {
    const { modules, told } = await violations(ROOT)
    expect(told).toEqual([])
    expect(modules).toBeGreaterThan(SOURCES.length)
    expect(SOURCES.length).toBeGreaterThan(30)
  })

  it.each([
    ['a value', "import { key } from '../delivery/cdp.ts'; export const x = key"],
    ['a type', "import type { Key } from '../delivery/cdp.ts'; export type X = Key"],
    ['a re-export', "export * from '../delivery/cdp.ts'"],
    ['a dynamic import', "export const x = () => import('../delivery/cdp.ts')"],
    ['a type taken in passing', "export type X = import('../delivery/cdp.ts').Key"],
    ['a go-between', "export { key } from '../domain/between.ts'"],
    [
      'a go-between of types',
      "import type { Key } from '../domain/between.ts'; export type X = Key",
    ],
  ])('stop the PDP reaching the CDP through %s', async (_how, text) => {
    const files = {
      'src/domain/between.ts': "export { key, type Key } from '../delivery/cdp.ts'",
      'src/delivery/cdp.ts': 'export type Key = string; export const key = 1',
    }
    const harmless = await violations(tree({ ...files, 'src/policy/pdp.ts': 'export const x = 1' }))
    expect(harmless.broken).not.toContain('pdp-never-touches-credentials')
    const { broken } = await violations(tree({ ...files, 'src/policy/pdp.ts': text }))
    expect(broken).toContain('pdp-never-touches-credentials')
  })

  it.each([
    ['pdp-never-touches-credentials', 'policy/sign.ts', 'domain/secret.ts'],
    ['pdp-never-touches-credentials', 'policy/pdp.ts', 'domain/lease.ts'],
    ['pdp-never-touches-credentials', 'policy/pdp.ts', 'domain/entry.ts'],
    ['cdp-never-decides', 'delivery/cdp.ts', 'policy/pdp.ts'],
    ['cdp-never-decides', 'delivery/connectors/jwt.ts', 'consent/consents.ts'],
    ['cdp-never-decides', 'delivery/cdp.ts', 'approvals/approvals.ts'],
    ['cdp-never-decides', 'delivery/cdp.ts', 'budgets/budgets.ts'],
    ['deciding-is-pure', 'policy/evaluate.ts', 'node:net'],
    ['deciding-draws-no-lots', 'policy/evaluate.ts', 'node:crypto'],
    ['deciding-draws-no-lots', 'policy/grant.ts', 'domain/ids.ts'],
    ['deciding-draws-no-lots', 'domain/question.ts', 'domain/ids.ts'],
    ['deciding-is-pure', 'policy/grant.ts', 'node:timers/promises'],
    ['deciding-is-pure', 'policy/facts/sql.ts', 'fs'],
    ['deciding-is-pure', 'policy/facts/sql.ts', 'pg'],
    ['domain-is-a-leaf', 'domain/ids.ts', 'db/connect.ts'],
    ['db-knows-only-domain', 'db/connect.ts', 'ledger/log.ts'],
    ['the-story-knows-only-domain', 'broker.ts', 'policy/pdp.ts'],
    ['the-story-knows-only-domain', 'broker.ts', 'db/connect.ts'],
    ['fronts-have-no-back-door', 'http/routes/token.ts', 'identity/sessions.ts'],
    ['fronts-have-no-back-door', 'http/app.ts', 'db/connect.ts'],
    ['the-line-knows-only-domain', 'peer/answering.ts', 'identity/dpop.ts'],
    ['the-line-knows-only-domain', 'peer/asking.ts', 'http/read.ts'],
    ['the-token-knows-only-domain', 'pkcs11/signers.ts', 'policy/sign.ts'],
    ['the-token-knows-only-domain', 'pkcs11/using.ts', 'delivery/key-store.ts'],
    ['pdp-never-touches-credentials', 'policy/sign.ts', 'pkcs11/signers.ts'],
    ['parts-are-strangers', 'identity/asked.ts', 'peer/asking.ts'],
    ['the-client-is-a-stranger', 'client/client.ts', 'identity/dpop.ts'],
    ['the-chain-stands-alone', 'chain/verify.ts', 'delegation/chain.ts'],
    ['the-chain-stands-alone', 'chain/steps.ts', 'identity/compact.ts'],
    ['the-client-travels-light', 'chain/keys.ts', 'node:fs'],
    ['the-client-travels-light', 'chain/reading.ts', 'pg'],
    ['the-client-travels-light', 'client/client.ts', 'pg'],
    ['the-client-travels-light', 'client/client.ts', 'node:fs'],
    ['the-client-travels-light', 'target/express.ts', 'pg'],
    ['the-target-is-a-stranger', 'target/proof.ts', 'identity/dpop.ts'],
    ['the-target-is-a-stranger', 'target/redeem.ts', 'client/client.ts'],
    ['the-verifier-shares-only-the-hashing', 'ledger/verify.ts', 'ledger/log.ts'],
    ['the-verifier-shares-only-the-hashing', 'ledger/verify-entry.ts', 'domain/json.ts'],
    ['parts-are-strangers', 'revocation/revocation.ts', 'consent/consents.ts'],
    ['parts-are-strangers', 'identity/sessions.ts', 'broker.ts'],
    ['parts-are-strangers', 'ledger/log.ts', 'http/app.ts'],
    ['connectors-are-strangers', 'delivery/connectors/jwt.ts', 'delivery/connectors/postgres.ts'],
    ['only-the-root-wires', 'identity/sessions.ts', 'config.ts'],
    ['only-the-root-wires', 'http/app.ts', 'server.ts'],
    ['only-the-root-wires', 'client/client.ts', 'cli/main.ts'],
    ['only-cedar-ts-knows-cedar', 'policy/pdp.ts', '@cedar-policy/cedar-wasm/nodejs'],
    ['src-stands-alone', 'identity/dpop.ts', '../test/fakes/keys.ts'],
    ['src-runs-on-what-is-shipped', 'server.ts', 'canonicalize'],
    ['no-unresolved', 'server.ts', 'nowhere'],
  ])('%s stops %s importing %s', async (wall, from, to) => {
    const { broken } = await violations(tree({ ...PACKAGES, ...planted(from, to) }))
    expect(broken).toContain(wall)
  })

  it('no-cycles stops a cycle of types alone', async () => {
    const files = {
      'src/domain/a.ts': "import type { B } from './b.ts'; export type A = B | null",
      'src/domain/b.ts': "import type { A } from './a.ts'; export type B = A | null",
    }
    expect((await violations(tree(files))).broken).toContain('no-cycles')
  })

  it('are each seen to bite', () => {
    const text = read('test/architecture.test.ts')
    expect(forbidden.filter(({ name }) => !text.includes(`'${name}`))).toEqual([])
  })

  it('let through what the house allows', async () => {
    const { broken } = await violations(
      tree({
        ...PACKAGES,
        ...planted('server.ts', 'policy/pdp.ts'),
        ...planted('policy/cedar.ts', '@cedar-policy/cedar-wasm/nodejs'),
        ...planted('policy/evaluate.ts', 'domain/question.ts'),
        ...planted('delivery/connectors/jwt.ts', 'delivery/connector.ts'),
        ...planted('delivery/cdp.ts', 'domain/secret.ts'),
        ...planted('ledger/verify.ts', 'ledger/merkle.ts'),
        ...planted('ledger/log.ts', 'db/connect.ts'),
        ...planted('client/dpop.ts', 'node:crypto'),
        ...planted('client/delegate.ts', 'chain/sign.ts'),
        ...planted('chain/keys.ts', 'node:crypto'),
        ...planted('delegation/chain.ts', 'chain/verify.ts'),
        ...planted('db/connect.ts', 'pg'),
      }),
    )
    expect(broken).toEqual([])
  })
})

const PACKAGES = {
  'package.json': JSON.stringify({
    dependencies: { pg: '*', '@cedar-policy/cedar-wasm': '*' },
    devDependencies: { canonicalize: '*' },
  }),
  ...inModules('pg', 'index.js'),
  ...inModules('canonicalize', 'index.js'),
  ...inModules('@cedar-policy/cedar-wasm', 'nodejs/index.js'),
}

function inModules(name: string, file: string) {
  return {
    [`node_modules/${name}/package.json`]: JSON.stringify({ name, main: file }),
    [`node_modules/${name}/${file}`]: 'module.exports = {}',
  }
}

/** One file that imports another, or a package. */
function planted(from: string, to: string): Record<string, string> {
  const up = '../'.repeat(from.split('/').length - 1) || './'
  const isOurs = to.endsWith('.ts')
  return {
    [`src/${from}`]: `import { x } from '${isOurs ? up + to : to}'; export const y = x`,
    ...(isOurs ? { [`src/${to}`.replace('src/../', '')]: 'export const x = 1' } : {}),
  }
}

describe('the house', () => {
  it('has no rooms named for nothing in particular, and no barrels', () => {
    const vague =
      /(^|\/)(utils?|helpers?|common|shared|lib|services?|managers?|types|misc)(\/|\.ts$)/
    const named = SOURCES.filter((path) => vague.test(path) && path !== 'src/identity/services.ts')
    expect(named).toEqual([])
    expect(SOURCES.filter((path) => /(^|\/)index\.ts$/.test(path))).toEqual([])
    expect(SOURCES.filter((path) => !/^src\/([a-z0-9-]+\/)*[a-z0-9-]+\.ts$/.test(path))).toEqual([])
  })

  it.each([
    ['ProvenInstance.proven(', /\bProvenInstance\.proven\(/, /^src\/identity\//],
    ['Recorded.onRecord(', /\bRecorded\.onRecord\b/, /^src\/ledger\//],
    ['a SignedDecision', /\bas (unknown as )?SignedDecision\b/, /^src\/policy\/sign\.ts$/],
    ['new Secret(', /\bnew Secret\(/, /^src\/(?!policy\/)/],
  ])('makes %s in one place only', (_what, text, place) => {
    const makers = SOURCES.filter((path) => text.test(read(path)))
    expect(makers.filter((path) => !place.test(path))).toEqual([])
    expect(makers).not.toEqual([])
  })

  it('keeps files short enough to be read at a sitting', () => {
    const lines = (path: string) => read(path).split('\n').length - 1
    expect(SOURCES.filter((path) => lines(path) > 300)).toEqual([])
    expect(lines('src/broker.ts')).toBeLessThanOrEqual(160)
    expect(lines('src/server.ts')).toBeLessThanOrEqual(200)
  })

  it('names no path of the machine it was written on', () => {
    const machine = /(^|[\s'"`(=])\/(work|home|Users|root)\/[\w.-]/
    const files = globSync(
      '{src,test,bench,examples,migrations,policies}/**/*.{ts,sql,yaml,cedar}',
      {
        cwd: ROOT,
      },
    )
    expect(files.length).toBeGreaterThan(SOURCES.length)
    expect(files.filter((path) => machine.test(read(path)))).toEqual([])
  })
})
