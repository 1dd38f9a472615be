/** What an operator gives a role and the broker in AWS, once, so that sessions of it can be made. */
import { denying } from './iam.ts'
import type { Settings } from './settings.ts'
import { audienceOf, revokerOf, subjectOf } from './web-identity.ts'

export interface PlanOptions {
  readonly settings: Settings
  /** ARN of the user or role whose access key the broker has. */
  readonly principal: string
}

/** Two policies: who may assume the role, and what the broker may do. What the role may is left to you. */
export function rolePlan({ settings, principal }: PlanOptions): string {
  const { role_arn: role, external_id: externalId, kill_switch: killSwitch } = settings
  const assuming = assumingAs('sts:AssumeRole', settings)
  const condition = { StringEquals: { 'sts:ExternalId': externalId } }
  const trust = {
    ...{ ...assuming, Principal: { AWS: principal } },
    ...(externalId !== undefined && { Condition: condition }),
  }
  const broker = [
    { ...assuming, Resource: role },
    ...(killSwitch === 'none' ? [] : [denying(role)]),
  ]
  return [
    `The trust policy of ${role}:`,
    documentOf([trust]),
    `A policy of ${principal}, which needs no other:`,
    documentOf(broker),
    '',
  ].join('\n')
}

export interface WebIdentityPlanOptions {
  readonly settings: Settings
  /** Its name in the trust file, which the trust policy demands. */
  readonly target: string
  /** The broker's own: `https://broker.example`. */
  readonly issuer: string
}

/** The provider, who may assume the role, and, where there is one, the role that ends its sessions. */
export function webIdentityPlan({ settings, target, issuer }: WebIdentityPlanOptions): string {
  const { role_arn: role, revoker_role_arn: revoker } = settings
  const provider = { Url: `${issuer}/identity`, ClientIDList: [audienceOf(settings)] }
  const trusting = (sub: string, assuming: object) => {
    const host = provider.Url.replace(/^https?:\/\//, '')
    const federated = role.replace(/:role\/.*$/, `:oidc-provider/${host}`)
    const said = { [`${host}:aud`]: audienceOf(settings), [`${host}:sub`]: sub }
    return { ...assuming, Principal: { Federated: federated }, Condition: { StringEquals: said } }
  }
  const action = 'sts:AssumeRoleWithWebIdentity'
  const ending = revoker !== undefined && [
    `The trust policy of ${revoker}:`,
    documentOf([trusting(revokerOf(target), { Effect: 'Allow', Action: [action] })]),
    `A policy of ${revoker}, which needs no other:`,
    documentOf([denying(role)]),
  ]
  return [
    'The OpenID Connect provider, one for all targets of this broker:',
    JSON.stringify(provider, null, 2),
    `The trust policy of ${role}:`,
    documentOf([trusting(subjectOf(target), assumingAs(action, settings))]),
    ...(ending || []),
    '',
  ].join('\n')
}

const assumingAs = (action: string, { tags }: Settings) => ({
  Effect: 'Allow',
  Action: [action, ...(tags === 'on' ? ['sts:TagSession', 'sts:SetSourceIdentity'] : [])],
})

const documentOf = (statements: readonly object[]) =>
  JSON.stringify({ Version: '2012-10-17', Statement: statements }, null, 2)
