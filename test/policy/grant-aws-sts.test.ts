import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { permissionsFor } from '../../src/policy/grant.ts'
import { awsSts } from '../../src/policy/grants/aws-sts.ts'
import { call } from './simple-rules.ts'

const read = {
  actions: ['s3:GetObject'],
  resources: [{ arn: 'arn:aws:s3:::reports/', argument: 'customer', then: '/*' }],
}
const given = (args: JsonObject, grant: JsonObject = { statements: [read] }) =>
  permissionsFor({
    ...{ ...call, arguments: args },
    tool: { ...call.tool, connector: 'aws-sts', grant },
  })

describe('a grant of AWS', () => {
  it('holds the arguments as values beside what was declared', () => {
    const list = { actions: ['s3:ListBucket'], resources: [{ arn: 'arn:aws:s3:::reports' }] }
    const grant = { statements: [read, list] }
    expect(given({ customer: '7","*' }, grant)).toEqual({
      ok: true,
      permissions: {
        statements: [
          {
            actions: ['s3:GetObject'],
            resources: [{ arn: 'arn:aws:s3:::reports/', value: '7","*', then: '/*' }],
          },
          list,
        ],
      },
    })
    expect(given({ customer: 7 })).toMatchObject({
      permissions: { statements: [{ resources: [{ value: '7' }] }] },
    })
  })

  it.each<[string, JsonObject]>([
    ['an empty argument', { customer: '' }],
    ['an argument that is not there', {}],
    ['an argument that is no text', { customer: ['7'] }],
  ])('is none for %s, which would reach what lies above', (_what, args) => {
    expect(given({ customer: '7' })).toMatchObject({ ok: true })
    expect(given(args)).toMatchObject({ ok: false })
  })
})

describe('the declaration of a grant of AWS', () => {
  const { grant } = awsSts.declares
  const statements = (of: object, resource: object = {}) => ({
    statements: [{ ...read, resources: [{ ...read.resources[0], ...resource }], ...of }],
  })
  it.each<[string, object]>([
    ['no statement', { statements: [] }],
    ['no action', statements({ actions: [] })],
    ['every action', statements({ actions: ['*'] })],
    ['every action of a service', statements({ actions: ['s3:*'] })],
    ['a pattern of actions', statements({ actions: ['s3:Get*'] })],
    ['what makes a session of another role', statements({ actions: ['sts:AssumeRole'] })],
    ['what makes keys that stay', statements({ actions: ['iam:CreateAccessKey'] })],
    ['no resource', statements({ resources: [] })],
    ['every resource', statements({}, { arn: '*' })],
    ['a pattern of resources', statements({}, { arn: 'arn:aws:s3:::rep*/' })],
    ['a variable', statements({}, { arn: 'arn:aws:s3:::${aws:userid}/' })],
    ['a pattern right after the argument', statements({}, { then: '*' })],
    ['text right after the argument', statements({}, { then: 'x/*' })],
    ['a pattern in the midst', statements({}, { then: '/*/a' })],
    ['a role', { ...statements({}), role_arn: 'arn:aws:iam::1:role/Admin' }],
    ['more statements than ten', { statements: Array.from({ length: 11 }, () => read) }],
  ])('may not have %s', (_what, declared) => {
    expect(grant.safeParse(statements({})).success).toBe(true)
    expect(grant.safeParse(declared).success).toBe(false)
  })

  it('needs each argument it names to be a required text, integer or boolean', () => {
    const isPlain = (argument: string) => argument === 'customer'
    const mistakes = (of: object) =>
      awsSts.mistakes({
        ...{ facts: 'arguments', grant: grant.parse(statements({}, of)) },
        ...{ isPlain, isDeclared: isPlain },
      })
    expect(mistakes({})).toEqual([])
    expect(mistakes({ argument: 'other' })).toHaveLength(1)
    expect(mistakes({ argument: undefined })).toEqual([])
    expect(mistakes({ argument: undefined, arn: 'arn:aws:s3:::' })).toHaveLength(1)
  })
})
