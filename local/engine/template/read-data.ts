/** Queues, tables, buckets, keys, secrets and parameters. */

import { TemplateError } from './errors.ts'
import { arrayAt, booleanAt, isObject, numberAt, objectAt, onlyKeys, optional, stringAt, stringsAt } from './json.ts'
import type { Resource, Resources } from './resources.ts'
import type {
  BucketSpec,
  IndexSpec,
  KeyAttribute,
  ParameterSpec,
  QueueSpec,
  SecretSpec,
  SecretValue,
  TableSpec,
} from './specs.ts'

/** Key ids, ARNs and aliases to key ARNs; undefined for the keys that AWS itself manages, which ask nothing of the caller. */
export type KeyArns = (id: string, at: string) => string | undefined

export function readKeys(resources: Resources): {
  readonly arns: readonly string[]
  readonly aliases: Readonly<Record<string, string>>
  readonly find: KeyArns
} {
  const keys = resources
    .ofType('AWS::KMS::Key')
    .map(({ identity }) => ({ id: identity.ref, arn: identity.attributes['Arn'] ?? '' }))
  const aliases: Record<string, string> = {}
  const find: KeyArns = (id, at) => {
    if (id.startsWith('alias/aws/') || id === '') return undefined
    const found =
      keys.find((key) => key.id === id || key.arn === id)?.arn ?? aliases[id.replace(/^arn:aws:kms:[^:]*:[^:]*:/, '')]
    if (found === undefined) throw new TemplateError(at, `refers to the key ${id}, which the template does not have`)
    return found
  }
  for (const { properties, identity, at } of resources.ofType('AWS::KMS::Alias')) {
    const target = find(stringAt(properties['TargetKeyId'], `${at}.TargetKeyId`), at)
    if (target !== undefined) aliases[identity.ref] = target
  }
  return { arns: keys.map((key) => key.arn), aliases, find }
}

const QUEUE_ATTRIBUTES: Readonly<Record<string, string>> = {
  ContentBasedDeduplication: 'ContentBasedDeduplication',
  DeduplicationScope: 'DeduplicationScope',
  FifoThroughputLimit: 'FifoThroughputLimit',
  DelaySeconds: 'DelaySeconds',
  MaximumMessageSize: 'MaximumMessageSize',
  MessageRetentionPeriod: 'MessageRetentionPeriod',
  ReceiveMessageWaitTimeSeconds: 'ReceiveMessageWaitTimeSeconds',
  VisibilityTimeout: 'VisibilityTimeout',
}

export function readQueues(resources: Resources, keyArns: KeyArns): readonly QueueSpec[] {
  return resources.ofType('AWS::SQS::Queue').map(({ identity, properties, at }) => {
    const attributes: Record<string, string> = {}
    for (const [property, attribute] of Object.entries(QUEUE_ATTRIBUTES)) {
      const value = properties[property]
      if (value !== undefined) attributes[attribute] = stringAt(value, `${at}.${property}`)
    }
    const fifo = properties['FifoQueue'] !== undefined && booleanAt(properties['FifoQueue'], `${at}.FifoQueue`)
    if (fifo) attributes['FifoQueue'] = 'true'
    const keyArn = optional(properties['KmsMasterKeyId'], (id) => keyArns(stringAt(id, at), `${at}.KmsMasterKeyId`))
    return {
      name: identity.name,
      url: identity.ref,
      arn: identity.attributes['Arn'] ?? '',
      fifo,
      attributes,
      ...(properties['RedrivePolicy'] === undefined
        ? {}
        : { redrive: redrive(properties['RedrivePolicy'], `${at}.RedrivePolicy`) }),
      ...(keyArn === undefined ? {} : { keyArn }),
    }
  })
}

function redrive(value: unknown, at: string): { deadLetterQueueName: string; maxReceiveCount: number } {
  const policy = objectAt(typeof value === 'string' ? JSON.parse(value) : value, at)
  onlyKeys(policy, ['deadLetterTargetArn', 'maxReceiveCount'], at)
  return {
    deadLetterQueueName: lastPart(stringAt(policy['deadLetterTargetArn'], `${at}.deadLetterTargetArn`)),
    maxReceiveCount: numberAt(policy['maxReceiveCount'], `${at}.maxReceiveCount`),
  }
}

export function readTables(resources: Resources, keyArns: KeyArns): readonly TableSpec[] {
  return resources
    .ofType('AWS::DynamoDB::Table', 'AWS::DynamoDB::GlobalTable')
    .map((resource) => readTable(resource, keyArns))
}

function readTable({ identity, properties, at }: Resource, keyArns: KeyArns): TableSpec {
  const keys = keySchema(properties['KeySchema'], `${at}.KeySchema`)
  const stream = optional(properties['StreamSpecification'], (value) => objectAt(value, `${at}.StreamSpecification`))
  const ttl = optional(properties['TimeToLiveSpecification'], (value) =>
    objectAt(value, `${at}.TimeToLiveSpecification`),
  )
  const keyArn = tableKey(properties, keyArns, at)
  const indexes = (property: string, kind: IndexSpec['kind']): readonly IndexSpec[] =>
    arrayAt(properties[property] ?? [], `${at}.${property}`).map((value) => readIndex(value, kind, `${at}.${property}`))
  return {
    name: identity.name,
    arn: identity.attributes['Arn'] ?? '',
    streamArn: identity.attributes['StreamArn'] ?? '',
    attributes: arrayAt(properties['AttributeDefinitions'], `${at}.AttributeDefinitions`).map((value) => {
      const attribute = objectAt(value, `${at}.AttributeDefinitions`)
      return { name: stringAt(attribute['AttributeName'], at), type: keyType(attribute['AttributeType'], at) }
    }),
    ...keys,
    indexes: [...indexes('GlobalSecondaryIndexes', 'global'), ...indexes('LocalSecondaryIndexes', 'local')],
    ...(stream === undefined ? {} : { streamView: streamView(stream['StreamViewType'] ?? 'NEW_AND_OLD_IMAGES', at) }),
    ...(ttl !== undefined && booleanAt(ttl['Enabled'], `${at}.TimeToLiveSpecification.Enabled`)
      ? { ttlAttribute: stringAt(ttl['AttributeName'], `${at}.TimeToLiveSpecification.AttributeName`) }
      : {}),
    ...(keyArn === undefined ? {} : { keyArn }),
  }
}

/** A table has its key at the top, a global table in each replica. */
function tableKey(properties: Resource['properties'], keyArns: KeyArns, at: string): string | undefined {
  const [replica] = arrayAt(properties['Replicas'] ?? [], `${at}.Replicas`)
  for (const holder of [properties, isObject(replica) ? replica : {}]) {
    const specification = holder['SSESpecification']
    if (isObject(specification) && specification['KMSMasterKeyId'] !== undefined) {
      return keyArns(stringAt(specification['KMSMasterKeyId'], at), `${at}.SSESpecification`)
    }
  }
  return undefined
}

function readIndex(value: unknown, kind: IndexSpec['kind'], at: string): IndexSpec {
  const index = objectAt(value, at)
  const projection = objectAt(index['Projection'] ?? {}, `${at}.Projection`)
  const type = projection['ProjectionType'] ?? 'ALL'
  if (type !== 'ALL' && type !== 'KEYS_ONLY' && type !== 'INCLUDE')
    throw new TemplateError(at, `unknown projection ${String(type)}`)
  return {
    name: stringAt(index['IndexName'], `${at}.IndexName`),
    kind,
    ...keySchema(index['KeySchema'], `${at}.KeySchema`),
    projection: type,
    nonKeyAttributes: optional(projection['NonKeyAttributes'], (names) => stringsAt(names, at)) ?? [],
  }
}

function keySchema(value: unknown, at: string): { partitionKey: string; sortKey?: string } {
  let partitionKey: string | undefined
  let sortKey: string | undefined
  for (const entry of arrayAt(value, at)) {
    const key = objectAt(entry, at)
    const name = stringAt(key['AttributeName'], at)
    if (key['KeyType'] === 'HASH') partitionKey = name
    else sortKey = name
  }
  if (partitionKey === undefined) throw new TemplateError(at, 'expected a HASH key')
  return { partitionKey, ...(sortKey === undefined ? {} : { sortKey }) }
}

function keyType(value: unknown, at: string): KeyAttribute['type'] {
  if (value === 'S' || value === 'N' || value === 'B') return value
  throw new TemplateError(at, `expected a key attribute of type S, N or B, found ${String(value)}`)
}

function streamView(value: unknown, at: string): NonNullable<TableSpec['streamView']> {
  if (value === 'KEYS_ONLY' || value === 'NEW_IMAGE' || value === 'OLD_IMAGE' || value === 'NEW_AND_OLD_IMAGES')
    return value
  throw new TemplateError(`${at}.StreamSpecification`, `unknown StreamViewType ${String(value)}`)
}

export function readBuckets(resources: Resources, keyArns: KeyArns): readonly BucketSpec[] {
  return resources.ofType('AWS::S3::Bucket').map(({ identity, properties, at }) => {
    const keyArn = bucketKey(properties['BucketEncryption'], keyArns, `${at}.BucketEncryption`)
    const cors = isObject(properties['CorsConfiguration'])
      ? arrayAt(properties['CorsConfiguration']['CorsRules'], at)
      : []
    return {
      name: identity.name,
      arn: identity.attributes['Arn'] ?? '',
      cors: cors.map((value) => {
        const rule = objectAt(value, `${at}.CorsConfiguration`)
        const list = (name: string): readonly string[] => stringsAt(rule[name] ?? [], `${at}.CorsConfiguration.${name}`)
        return {
          origins: list('AllowedOrigins'),
          methods: list('AllowedMethods'),
          headers: list('AllowedHeaders'),
          exposed: list('ExposedHeaders'),
        }
      }),
      ...(keyArn === undefined ? {} : { keyArn }),
    }
  })
}

function bucketKey(value: unknown, keyArns: KeyArns, at: string): string | undefined {
  if (value === undefined) return undefined
  const [rule] = arrayAt(objectAt(value, at)['ServerSideEncryptionConfiguration'], at)
  const byDefault = objectAt(objectAt(rule, at)['ServerSideEncryptionByDefault'] ?? {}, at)
  return optional(byDefault['KMSMasterKeyID'], (id) => keyArns(stringAt(id, at), at))
}

export function readSecrets(resources: Resources, keyArns: KeyArns): readonly SecretSpec[] {
  return resources.ofType('AWS::SecretsManager::Secret').map(({ identity, properties, at }) => {
    const keyArn = optional(properties['KmsKeyId'], (id) => keyArns(stringAt(id, at), `${at}.KmsKeyId`))
    return {
      arn: identity.ref,
      name: identity.name,
      value: secretValue(properties, at),
      ...(keyArn === undefined ? {} : { keyArn }),
    }
  })
}

const LOWER = 'abcdefghijklmnopqrstuvwxyz'
const PUNCTUATION = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'

function secretValue(properties: Resource['properties'], at: string): SecretValue {
  if (properties['SecretString'] !== undefined) {
    return { kind: 'literal', value: stringAt(properties['SecretString'], `${at}.SecretString`) }
  }
  const place = `${at}.GenerateSecretString`
  const rules = objectAt(properties['GenerateSecretString'] ?? {}, place)
  onlyKeys(
    rules,
    [
      'ExcludeCharacters',
      'ExcludeLowercase',
      'ExcludeNumbers',
      'ExcludePunctuation',
      'ExcludeUppercase',
      'GenerateStringKey',
      'IncludeSpace',
      'PasswordLength',
      'RequireEachIncludedType',
      'SecretStringTemplate',
    ],
    place,
  )
  const flag = (name: string): boolean => rules[name] !== undefined && booleanAt(rules[name], `${place}.${name}`)
  const excluded = stringAt(rules['ExcludeCharacters'] ?? '', place)
  const all = [
    flag('ExcludeLowercase') ? '' : LOWER,
    flag('ExcludeUppercase') ? '' : LOWER.toUpperCase(),
    flag('ExcludeNumbers') ? '' : '0123456789',
    flag('ExcludePunctuation') ? '' : PUNCTUATION,
    flag('IncludeSpace') ? ' ' : '',
  ].join('')
  const alphabet = [...all].filter((character) => !excluded.includes(character)).join('')
  if (alphabet === '') throw new TemplateError(place, 'leaves no character to generate from')
  const json = optional(rules['SecretStringTemplate'], (value) => stringAt(value, place))
  const key = optional(rules['GenerateStringKey'], (value) => stringAt(value, place))
  if ((json === undefined) !== (key === undefined)) {
    throw new TemplateError(place, 'expected SecretStringTemplate and GenerateStringKey together')
  }
  return {
    kind: 'generate',
    length: numberAt(rules['PasswordLength'] ?? 32, `${place}.PasswordLength`),
    alphabet,
    ...(json !== undefined && key !== undefined ? { template: { json, key } } : {}),
  }
}

export function readParameters(resources: Resources, region: string, account: string): readonly ParameterSpec[] {
  return resources.ofType('AWS::SSM::Parameter').map(({ identity, properties, at }) => {
    const type = properties['Type']
    if (type !== 'String' && type !== 'StringList')
      throw new TemplateError(at, `unknown parameter type ${String(type)}`)
    const arn = `arn:aws:ssm:${region}:${account}:parameter${identity.ref.startsWith('/') ? '' : '/'}${identity.ref}`
    return { name: identity.ref, arn, type, value: stringAt(properties['Value'], `${at}.Value`) }
  })
}

export function lastPart(arn: string): string {
  return arn.slice(arn.lastIndexOf(':') + 1)
}
