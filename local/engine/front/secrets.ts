/** Secrets Manager: generated values are made once and kept in the state folder, readable by its owner only. */
import { randomInt } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { isObject } from '../template/json.ts'
import type { SecretSpec, SecretValue } from '../template/specs.ts'
import { jsonAnswer } from './answers.ts'
import { type Demand, type FrontService, type Protocol, ServiceError } from './call.ts'
import { parse, text, viaService } from './dynamodb.ts'

const PROTOCOL: Protocol = { kind: 'json', version: '1.1', accessDenied: 'AccessDeniedException', deniedStatus: 400 }

export interface SecretStore {
  /** The secret's plain text; generated and written down when it is asked for first. */
  read(secret: SecretSpec): string
}

export function openSecretStore(file: string): SecretStore {
  const values: Record<string, string> = existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>)
    : {}
  return {
    read(secret) {
      if (secret.value.kind === 'literal') return secret.value.value
      const known = values[secret.arn]
      if (known !== undefined) return known
      const made = generate(secret.value)
      values[secret.arn] = made
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(`${file}.new`, JSON.stringify(values, undefined, 2), { mode: 0o600 })
      renameSync(`${file}.new`, file)
      chmodSync(file, 0o600)
      return made
    },
  }
}

function generate(rules: Extract<SecretValue, { kind: 'generate' }>): string {
  const letter = (): string => rules.alphabet[randomInt(rules.alphabet.length)] ?? ''
  const password = Array.from({ length: rules.length }, letter).join('')
  if (rules.template === undefined) return password
  const fields: unknown = JSON.parse(rules.template.json)
  return JSON.stringify({ ...(isObject(fields) ? fields : {}), [rules.template.key]: password })
}

export function secretsService(
  secrets: readonly SecretSpec[],
  store: SecretStore,
  region: string,
  account: string,
): FrontService {
  /** By ARN, by name, or by the ARN without its six random characters, as Secrets Manager takes them. */
  const find = (id: string): SecretSpec | undefined =>
    secrets.find(({ arn, name }) => arn === id || name === id || arn.replace(/-[A-Za-z0-9]{6}$/, '') === id)
  return {
    protocol: PROTOCOL,
    demands(call) {
      const id = text(parse(call), 'SecretId')
      if (call.operation !== 'GetSecretValue' && call.operation !== 'DescribeSecret') {
        throw new ServiceError('UnknownOperationException', `Local mode does not know secretsmanager:${call.operation}`)
      }
      const secret = find(id)
      const resource =
        secret?.arn ?? (id.startsWith('arn:') ? id : `arn:aws:secretsmanager:${region}:${account}:secret:${id}-??????`)
      const demands: Demand[] = [{ action: `secretsmanager:${call.operation}`, resource, context: {} }]
      if (secret?.keyArn !== undefined && call.operation === 'GetSecretValue') {
        demands.push({ action: 'kms:Decrypt', resource: secret.keyArn, context: viaService('secretsmanager', region) })
      }
      return demands
    },
    async handle(call) {
      const secret = find(text(parse(call), 'SecretId'))
      if (secret === undefined)
        throw new ServiceError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.")
      const common = { ARN: secret.arn, Name: secret.name }
      if (call.operation === 'DescribeSecret') return jsonAnswer(PROTOCOL, common)
      return jsonAnswer(PROTOCOL, {
        ...common,
        SecretString: store.read(secret),
        VersionId: 'local-1',
        VersionStages: ['AWSCURRENT'],
      })
    },
  }
}
