/** The walls of the house: one row a wall. test/architecture.test.ts checks that they stand, and that they bite. */
const parts = 'identity|consent|delegation|policy|budgets|approvals|delivery|revocation|ledger'
const impure =
  '^(node:)?(fs|net|https?|dns|timers|child_process|worker_threads|os)(/|$)|node_modules/(?!zod|@cedar|libpg)'
const deciding = '^src/policy/((evaluate|grant)\\.ts|grants/|facts/)'
const fromCrypto = 'ids|digest|jws|binding|authority-hash'

// No path of imports, through however many files, types included, may lead from the first to the second.
// prettier-ignore
const unreachable = [
  ['pdp-never-touches-credentials',        '^src/policy/',                               '^src/(delivery/|pkcs11/|domain/(secret|lease|entry)\\.ts)'],
  ['cdp-never-decides',                    '^src/delivery/',                             '^src/(policy|consent|delegation|approvals|budgets)/'],
  ['deciding-is-pure',                     deciding,                                     impure],
  ['domain-is-a-leaf',                     '^src/domain/',                               '^src/(?!domain/)'],
  ['db-knows-only-domain',                 '^src/db/',                                   '^src/(?!db/|domain/)'],
  ['the-story-knows-only-domain',          '^src/broker\\.ts$',                          '^src/(?!domain/)'],
  ['fronts-have-no-back-door',             '^src/(http|mcp|console)/',                   `^src/(db|${parts})/`],
  ['the-line-knows-only-domain',           '^src/peer/',                                 '^src/(?!peer/|domain/)'],
  ['the-token-knows-only-domain',          '^src/pkcs11/',                               '^src/(?!pkcs11/|domain/)'],
  ['the-client-is-a-stranger',             '^src/client/',                               '^src/(?!client/|domain/|chain/)'],
  ['the-target-is-a-stranger',             '^src/target/',                               '^src/(?!target/|domain/)'],
  ['the-chain-stands-alone',               '^src/chain/',                                '^src/(?!chain/|domain/)'],
  ['the-verifier-shares-only-the-hashing', '^src/ledger/verify[a-z-]*\\.ts$',            '^src/(?!ledger/(verify[a-z-]*|merkle)\\.ts)'],
].map(([name, from, to]) => ({ name, severity: 'error', from: { path: from }, to: { path: to, reachable: true } }))

// Nothing in the first may import the second.
// prettier-ignore
const apart = [
  ['parts-are-strangers',       { path: `^src/(${parts})/` }, { path: `^src/(${parts}|http|mcp|console|client|peer|broker)`, pathNot: '^src/$1/' }],
  ['connectors-are-strangers',  { path: '^src/delivery/connectors/([^/.]+)' }, { path: '^src/delivery/connectors/', pathNot: '^src/delivery/connectors/$1[/.]' }],
  ['only-the-root-wires',       { path: '^src/[^/]+/', pathNot: '^src/cli/' }, { path: '^src/((?!broker\\.ts)[^/]+\\.ts$|cli/)' }],
  ['only-cedar-ts-knows-cedar', { path: '^src/', pathNot: '^src/policy/(cedar|vet[a-z-]*)\\.ts$' }, { path: 'cedar-wasm', dependencyTypesNot: ['type-only'] }],
  ['the-client-travels-light',  { path: '^src/(client|chain|target)/' }, { path: 'node_modules/|^(node:)?(?!crypto$)[a-z0-9_/]+$', pathNot: '^src/' }],
  // The words it uses name ids by their types; no value of theirs, nor of its own, is drawn or hashed.
  ['deciding-draws-no-lots',    { path: `${deciding}|^src/domain/(?!(${fromCrypto})\\.ts)` }, { path: `^(node:)?crypto$|^src/domain/(${fromCrypto})\\.ts`, dependencyTypesNot: ['type-only'] }],
  ['src-stands-alone',          { path: '^src/' }, { path: '^(test|bench|hammer|mutation|examples)/' }],
  ['src-runs-on-what-is-shipped', { path: '^src/' }, { dependencyTypes: ['npm-dev'] }],
  ['no-cycles',                 {}, { circular: true }],
  ['no-unresolved',             {}, { couldNotResolve: true }],
].map(([name, from, to]) => ({ name, severity: 'error', from, to }))

module.exports = {
  forbidden: [...unreachable, ...apart],
  options: { tsPreCompilationDeps: true, doNotFollow: { path: 'node_modules' } },
}
