/**
 * Who calls: every function, task and rule signs with an access key id of its own, so that the front reads the caller from
 * the signature's scope. Signatures are not checked, but for presigned URLs: the id is what lets a caller in, and the front listens on loopback only.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Credentials } from '../contracts.ts'
import type { RoleSpec } from '../template/specs.ts'

export type Principal =
  /** The person at the machine, and local mode itself. */
  | { readonly kind: 'root'; readonly title: string }
  | { readonly kind: 'role'; readonly title: string; readonly role: RoleSpec }
  | { readonly kind: 'service'; readonly title: string; readonly service: string; readonly sourceArn: string }

export interface Principals {
  /** The same principal gets the same key as long as the process runs. */
  register(principal: Principal): Credentials
  find(accessKeyId: string): Principal | undefined
  /** For the signatures of presigned URLs. */
  secretOf(accessKeyId: string): string | undefined
}

export function createPrincipals(): Principals {
  const byKey = new Map<string, Principal>()
  const secrets = new Map<string, string>()
  const salt = randomBytes(16).toString('hex')
  return {
    register(principal) {
      const id = `${salt} ${principal.kind} ${principal.title} ${principal.kind === 'service' ? principal.sourceArn : ''}`
      const credentials = credentialsFor(id)
      byKey.set(credentials.accessKeyId, principal)
      secrets.set(credentials.accessKeyId, credentials.secretAccessKey)
      return credentials
    },
    find: (accessKeyId) => byKey.get(accessKeyId),
    secretOf: (accessKeyId) => secrets.get(accessKeyId),
  }
}

/** 20 upper-case letters and digits, as AWS's are; DynamoDB Local takes nothing else. */
function credentialsFor(id: string): Credentials {
  const hex = createHash('sha256').update(id).digest('hex').toUpperCase()
  return { accessKeyId: `AKIA${hex.slice(0, 16)}`, secretAccessKey: hex.slice(16, 56) }
}

/** What the ledger and the refusals call a principal. */
export function principalName(principal: Principal): string {
  switch (principal.kind) {
    case 'root':
      return 'root'
    case 'role':
      return principal.role.name
    case 'service':
      return principal.service
  }
}
