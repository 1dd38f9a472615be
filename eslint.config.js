/** What a line may not say. test/lint.test.ts has seen each of these bite. */
import tseslint from 'typescript-eslint'

const BANS = {
  clock: {
    selector:
      ":matches(MemberExpression[object.name='Date'][property.name='now'], :matches(NewExpression, CallExpression)[callee.name='Date'][arguments.length=0])",
    message: 'Time is an argument, or a Clock.',
  },
  json: {
    selector: "MemberExpression[object.name='JSON'][property.name='parse']",
    message: 'JSON is read in domain/json.ts: strictly, or as our own.',
  },
  environment: {
    selector: "MemberExpression[object.name='process'][property.name='env']",
    message: 'The environment is read once, in config.ts.',
  },
  allColumns: {
    selector: "CallExpression[callee.property.name='selectAll']",
    message: 'Queries list their columns.',
  },
  default: { selector: 'ExportDefaultDeclaration', message: 'Exports have names.' },
  enum: { selector: 'TSEnumDeclaration', message: 'A union of literals is erased.' },
  spies: {
    selector: "CallExpression[callee.object.name='vi'][callee.property.name=/^(fn|spyOn)$/]",
    message: 'A fake with behaviour, in test/fakes.',
  },
  mocks: {
    selector: "CallExpression[callee.object.name='vi'][callee.property.name=/[mM]ock|hoisted/]",
    message: 'A fake that is handed over, not a module that is replaced.',
  },
}

/** Where a ban does not hold. The last row that fits a file counts, whole. */
const AT_THE_EDGE = ['clock', 'json', 'environment']
const EXEMPT = [
  ['src/domain/clock.ts', ['clock']],
  ['src/domain/json.ts', ['json']],
  ['src/ledger/verify*.ts', ['json']], // It shares nothing with what it checks.
  ['src/config.ts', ['environment']],
  ['src/server.ts', ['clock']],
  ['src/client/**', ['clock', 'json']],
  ['src/cli/**', ['clock', 'environment']],
  ['src/target/**', ['clock']],
  ['{test,bench,hammer,mutation,examples}/**', AT_THE_EDGE],
  ['test/fakes/**', [...AT_THE_EDGE, 'spies']],
  ['{,mutation/}*.config.ts', ['environment', 'default']],
]

const bansBut = (exempt) => ({
  'no-restricted-syntax': [
    'error',
    ...Object.entries(BANS).flatMap(([name, ban]) => (exempt.includes(name) ? [] : [ban])),
  ],
})

export default tseslint.config(
  {
    ignores: ['dist/', 'coverage/', '.procura/', '.build-*/', '.stryker-tmp/', '**/*.{js,cjs,mjs}'],
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylistic],
    languageOptions: { parserOptions: { projectService: true } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      // `void ledger.record(…)` would be an entry that nobody waits for: fail-open.
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: false }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-unused-vars': 'off', // The compiler says so already.
      '@typescript-eslint/no-misused-spread': [
        'error',
        { allow: [{ from: 'lib', name: 'string' }] },
      ],
      '@typescript-eslint/consistent-type-definitions': 'off', // An interface is no JsonObject.
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-control-regex': 'error',
      'no-empty': 'error', // A `catch` too.
      'no-restricted-imports': ['error', { name: 'node:process', message: 'Use the global.' }],
      'max-lines': ['error', 300],
      'max-lines-per-function': ['error', 60],
      'max-params': ['error', 4],
      ...bansBut([]),
    },
  },
  ...EXEMPT.map(([file, names]) => ({ files: [file], rules: bansBut(names) })),
  // The one story that is told in one piece; so it is the file that is held short.
  {
    files: ['src/broker.ts'],
    rules: { 'max-lines': ['error', 160], 'max-lines-per-function': 'off' },
  },
  {
    files: ['src/policy/{evaluate,grant}.ts', 'src/policy/facts/**'], // Deciding is pure.
    rules: {
      'no-restricted-globals': [
        'error',
        ...['crypto', 'fetch', 'performance', 'process', 'setTimeout', 'setInterval'],
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off', // A `describe` is a function.
      '@typescript-eslint/require-await': 'off', // A fake keeps the shape of its port.
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-misused-spread': 'off', // An alphabet, taken apart.
    },
  },
  {
    files: ['test/types.test.ts'], // Its lines are wrong on purpose.
    rules: {
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
)
