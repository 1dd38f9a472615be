/** A role at a real STS that believes a broker's issuer, prepared by what `procura target plan` prints. */
import {
  CreateOpenIDConnectProviderCommand,
  CreateRoleCommand,
  IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam'
import { AssumeRoleWithWebIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { webIdentityPlan } from '../../src/delivery/connectors/aws-sts/plan.ts'
import { Settings } from '../../src/delivery/connectors/aws-sts/settings.ts'
import type { Clock } from '../../src/domain/clock.ts'
import type { CephRgw } from '../parts/ceph-rgw.ts'
import { type PublishedIssuer, keylessTarget } from './aws-issuer.ts'
import { anAwsTarget } from './aws-rgw.ts'

let made = 0

export type Believed = Awaited<ReturnType<typeof aBelievingRole>>

export async function aBelievingRole(rgw: CephRgw, { signer, thumbprint }: PublishedIssuer) {
  made += 1
  const revoker = `arn:aws:iam:::role/revoker-${String(made)}`
  const planned = (role: string) => {
    const roles = { role_arn: role, revoker_role_arn: revoker }
    const settings = { ...BASE, ...roles, endpoint: rgw.endpoint }
    const options = { settings: Settings.parse(settings), target: 'reports' }
    const plan = webIdentityPlan({ ...options, issuer: signer.issuer })
    // The one action in it that this gateway does not know.
    return documentsIn(plan.replace(/,\s*"sts:SetSourceIdentity"/, ''))
  }
  const common = { endpoint: rgw.endpoint, region: 'us-east-1', maxAttempts: 1 }
  const iam = new IAMClient({ ...common, credentials: rgw.admin })
  const at = await anAwsTarget(rgw, (role) => planned(role)[1])
  const role = at.settings.role_arn
  const [provider, , ofRevoker, may] = planned(role)
  if (made === 1) {
    const { Url, ClientIDList } = JSON.parse(provider) as { Url: string; ClientIDList: string[] }
    const asked = { Url, ClientIDList, ThumbprintList: [thumbprint] }
    await iam.send(new CreateOpenIDConnectProviderCommand(asked))
  }
  const named = { RoleName: `revoker-${String(made)}` }
  await iam.send(new CreateRoleCommand({ ...named, AssumeRolePolicyDocument: ofRevoker }))
  await iam.send(new PutRolePolicyCommand({ ...named, PolicyName: 'ends', PolicyDocument: may }))

  const settings = {
    ...{ ...BASE, role_arn: role, revoker_role_arn: revoker, endpoint: rgw.endpoint },
    ...{ kill_switch: 'role_policy', settle_seconds: 0 },
  }
  const sts = new STSClient({ ...common, credentials: rgw.stranger })
  return {
    ...{ ...at, settings, revoker },
    target: (more: object = {}, clock?: Clock) =>
      keylessTarget({ ...settings, ...more }, signer, clock),
    /** `ok`, or the status that this token is refused with. */
    async shown(token: string, as = role): Promise<'ok' | number> {
      const input = { RoleArn: as, RoleSessionName: 'by-hand', WebIdentityToken: token }
      try {
        await sts.send(new AssumeRoleWithWebIdentityCommand(input))
        return 'ok'
      } catch (error) {
        const { $metadata: of } = error as { $metadata?: { httpStatusCode?: number } }
        if (of?.httpStatusCode === undefined) throw error
        return of.httpStatusCode
      }
    },
  }
}

const BASE = {
  ...{ credentials: 'web_identity', region: 'us-east-1', allow_http: true },
  min_session_seconds: 1,
}

/** As an operator reads it: a line that ends in a colon, then a document. */
function documentsIn(
  plan: string,
): [provider: string, trust: string, ofRevoker: string, may: string] {
  const documents = plan.split(/^[AT].*:$/m).flatMap((it) => it.trim() || [])
  const [provider = '', trust = '', ofRevoker = '', may = ''] = documents
  return [provider, trust, ofRevoker, may]
}
