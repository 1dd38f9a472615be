/** What an operator gives a role and the broker in AWS, once, so that sessions of it can be made. */
import type { Settings } from './settings.ts'

export interface PlanOptions {
  readonly settings: Settings
  /** ARN of the user or role whose access key the broker has. */
  readonly principal: string
}

/** Two policies: who may assume the role, and what the broker may do. What the role may is left to you. */
export function rolePlan({ settings, principal }: PlanOptions): string {
  const { role_arn: role, external_id: externalId, tags, kill_switch: killSwitch } = settings
  const assuming = {
    Effect: 'Allow',
    Action: [
      'sts:AssumeRole',
      ...(tags === 'on' ? ['sts:TagSession', 'sts:SetSourceIdentity'] : []),
    ],
  }
  const condition = { StringEquals: { 'sts:ExternalId': externalId } }
  const trust = {
    ...{ ...assuming, Principal: { AWS: principal } },
    ...(externalId !== undefined && { Condition: condition }),
  }
  const denying = {
    ...{ Effect: 'Allow', Action: ['iam:GetRolePolicy', 'iam:PutRolePolicy'], Resource: role },
  }
  const broker = [{ ...assuming, Resource: role }, ...(killSwitch === 'none' ? [] : [denying])]
  return [
    `The trust policy of ${role}:`,
    documentOf([trust]),
    `A policy of ${principal}, which needs no other:`,
    documentOf(broker),
    '',
  ].join('\n')
}

const documentOf = (statements: readonly object[]) =>
  JSON.stringify({ Version: '2012-10-17', Statement: statements }, null, 2)
