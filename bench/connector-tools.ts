/** The tools that the connectors are asked by, and the one rule that permits them: added to our own policies. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JsonObject } from '../src/domain/json.ts'
import { POLICIES } from './world.ts'

const COMMON = { title: 'Measured', groups: ['bench'], risk: 'low' } as const
const text: JsonObject = { type: 'string', maxLength: 200 }
const taking = (...names: string[]): JsonObject => ({
  ...{ type: 'object', required: names },
  properties: Object.fromEntries(names.map((name) => [name, text])),
})
const NAMED = { kind: 'arguments', fields: { name: 'name' } } as const
const SQL = {
  ...{ arguments: taking('sql'), facts: { kind: 'sql' } },
  grant: {
    roles: { 'public.orders': { read: 'orders_read' } },
    ...{ read_only: 'always', statement_timeout_ms: 5000 },
  },
} as const

/** One for each connector, at a target of its name. */
export const TOOLS: Readonly<Record<string, JsonObject>> = {
  postgres: { connector: 'postgres', sender_constraint: 'none', ...SQL },
  'postgres-exact': { connector: 'postgres-exact', sender_constraint: 'proxy', ...SQL },
  http: {
    ...{ connector: 'http', sender_constraint: 'proxy', arguments: taking('name') },
    facts: { kind: 'http' },
    grant: { method: 'GET', path: '/things/{name}' },
  },
  vault: {
    ...{ connector: 'vault', sender_constraint: 'none', arguments: taking('name') },
    ...{ facts: NAMED, grant: { path: 'database/creds/orders' } },
  },
  'aws-sts': {
    ...{ connector: 'aws-sts', sender_constraint: 'none', arguments: taking('name'), facts: NAMED },
    grant: {
      statements: [
        {
          actions: ['s3:GetObject'],
          resources: [{ arn: 'arn:aws:s3:::reports/', argument: 'name', then: '/*' }],
        },
      ],
    },
  },
}

export const toolOf = (connector: string) => `bench.${connector.replaceAll('-', '_')}`

const rules = (tools: readonly string[]) => `
@id("bench-is-permitted")
permit (principal, action in [${tools.map((name) => `Action::"${name}"`).join(', ')}],
  resource in ToolGroup::"bench")
when { context.purpose == "reporting" };

@id("bench-is-consented-to")
permit (principal, action == Action::"consent", resource in ToolGroup::"bench");
`

/** A folder of policies in which each of these connectors has its tool. */
export function policiesFor(connectors: readonly string[], folder: string): string {
  cpSync(POLICIES, folder, { recursive: true })
  mkdirSync(join(folder, 'tools'), { recursive: true })
  for (const connector of connectors) {
    const name = toolOf(connector)
    const tool = { name, target: `bench-${connector}`, ...COMMON, ...TOOLS[connector] }
    writeFileSync(join(folder, 'tools', `${name}.yaml`), JSON.stringify(tool))
  }
  writeFileSync(join(folder, 'bench.cedar'), rules(connectors.map(toolOf)))
  return folder
}
