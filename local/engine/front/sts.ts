/** STS GetCallerIdentity: which role a caller is. Needs no permission, as on AWS. */
import { randomUUID } from 'node:crypto'
import { xml, xmlAnswer } from './answers.ts'
import { type FrontService, ServiceError } from './call.ts'

export function stsService(account: string): FrontService {
  return {
    protocol: { kind: 'query' },
    demands(call) {
      if (call.operation !== 'GetCallerIdentity')
        throw new ServiceError('InvalidAction', `Local mode does not know sts:${call.operation}`)
      return []
    },
    async handle({ principal }) {
      const arn =
        principal.kind === 'role'
          ? `arn:aws:sts::${account}:assumed-role/${principal.role.name}/local`
          : `arn:aws:iam::${account}:root`
      const result = `<Arn>${xml(arn)}</Arn><UserId>local</UserId><Account>${account}</Account>`
      return xmlAnswer(
        `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>${result}</GetCallerIdentityResult>` +
          `<ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata></GetCallerIdentityResponse>`,
      )
    },
  }
}
