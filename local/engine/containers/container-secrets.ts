/**
 * What the ECS agent does before a container starts: reads its secrets under the execution role. A grant that is missing keeps
 * the task from starting, as on AWS.
 */

import type { ParameterStore } from '../front/parameters.ts'
import type { SecretStore } from '../front/secrets.ts'
import type { Access } from '../iam/access.ts'
import type { Principal } from '../iam/principals.ts'
import { isObject } from '../template/json.ts'
import type { ContainerSpec, Model, RoleSpec } from '../template/specs.ts'

export interface SecretReader {
  read(container: ContainerSpec, executionRole: RoleSpec | undefined): Readonly<Record<string, string>>
}

export function createSecretReader(
  model: Model,
  secrets: SecretStore,
  parameters: ParameterStore,
  access: Access,
): SecretReader {
  const judge = (role: RoleSpec, action: string, resource: string, keyArn: string | undefined): void => {
    const principal: Principal = { kind: 'role', title: 'ecs agent', role }
    const demands = [
      { action, resource, context: {} },
      ...(keyArn === undefined ? [] : [{ action: 'kms:Decrypt', resource: keyArn, context: {} }]),
    ]
    const verdict = access.judge(principal, demands)
    if (verdict.kind === 'refused')
      throw new Error(`ResourceInitializationError: unable to pull secrets or registry auth: ${verdict.message}`)
  }

  const secretValue = (valueFrom: string, role: RoleSpec): string => {
    if (valueFrom.split(':')[2] === 'secretsmanager') {
      const [, arn = '', jsonKey = ''] =
        /^(arn:[^:]*:secretsmanager:[^:]*:[^:]*:secret:[^:]+)(?::([^:]*))?/.exec(valueFrom) ?? []
      const secret = model.secrets.find((each) => each.arn === arn)
      judge(role, 'secretsmanager:GetSecretValue', secret?.arn ?? valueFrom, secret?.keyArn)
      if (secret === undefined) throw new Error(`ResourceInitializationError: there is no secret ${valueFrom}`)
      const text = secrets.read(secret)
      if (jsonKey === '') return text
      const fields: unknown = JSON.parse(text)
      const value = isObject(fields) ? fields[jsonKey] : undefined
      if (typeof value !== 'string')
        throw new Error(`ResourceInitializationError: the secret ${secret.name} has no key ${jsonKey}`)
      return value
    }
    const parameter = parameters.get(valueFrom)
    judge(role, 'ssm:GetParameters', parameter?.spec.arn ?? valueFrom, undefined)
    if (parameter === undefined) throw new Error(`ResourceInitializationError: there is no parameter ${valueFrom}`)
    return parameter.value
  }

  return {
    read(container, executionRole) {
      if (container.secrets.length === 0) return {}
      if (executionRole === undefined)
        throw new Error('ResourceInitializationError: the task definition has secrets but no execution role')
      return Object.fromEntries(
        container.secrets.map(({ name, valueFrom }) => [name, secretValue(valueFrom, executionRole)]),
      )
    },
  }
}
