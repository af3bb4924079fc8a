/** Roles with all their policies, and the policies that resources have themselves. */
import { type PolicyDocument, readPolicy } from '../iam/policy.ts'
import { TemplateError } from './errors.ts'
import { arrayAt, isObject, objectAt, optional, stringAt, stringsAt } from './json.ts'
import type { Resource, Resources } from './resources.ts'
import type { ResourcePolicySpec, RoleSpec } from './specs.ts'

/** AWS's own policies that only let a runtime log, trace and pull images: nothing that a function or container calls here. */
const RUNTIME_POLICIES = [
  'service-role/AWSLambdaBasicExecutionRole',
  'service-role/AWSLambdaVPCAccessExecutionRole',
  'service-role/AmazonECSTaskExecutionRolePolicy',
  'service-role/AmazonAPIGatewayPushToCloudWatchLogs',
  'CloudWatchLambdaInsightsExecutionRolePolicy',
  'AWSXRayDaemonWriteAccess',
  'AWSXrayWriteOnlyAccess',
].map((name) => `arn:aws:iam::aws:policy/${name}`)

export function readRoles(resources: Resources): readonly RoleSpec[] {
  const attached = new Map<string, PolicyDocument[]>()
  const managed = new Map<string, PolicyDocument>()
  for (const resource of resources.ofType('AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy')) {
    const { properties, at, identity } = resource
    const policy = readPolicy(properties['PolicyDocument'], resource.logicalId, 'identity', `${at}.PolicyDocument`)
    if (resource.type === 'AWS::IAM::ManagedPolicy') managed.set(identity.ref, policy)
    for (const role of stringsAt(properties['Roles'] ?? [], `${at}.Roles`)) {
      attached.set(role, [...(attached.get(role) ?? []), policy])
    }
  }
  return resources.ofType('AWS::IAM::Role').map((role) => ({
    arn: role.identity.attributes['Arn'] ?? '',
    name: role.identity.ref,
    services: assumedBy(role),
    policies: [...inlinePolicies(role), ...managedPolicies(role, managed), ...(attached.get(role.identity.ref) ?? [])],
  }))
}

function assumedBy({ properties, at }: Resource): readonly string[] {
  const place = `${at}.AssumeRolePolicyDocument`
  const document = objectAt(properties['AssumeRolePolicyDocument'], place)
  return arrayAt(document['Statement'], place).flatMap((entry) => {
    const principal = objectAt(entry, place)['Principal']
    return isObject(principal) && principal['Service'] !== undefined ? stringsAt(principal['Service'], place) : []
  })
}

function inlinePolicies({ properties, at, logicalId }: Resource): readonly PolicyDocument[] {
  return arrayAt(properties['Policies'] ?? [], `${at}.Policies`).map((entry, index) => {
    const place = `${at}.Policies[${index}]`
    const inline = objectAt(entry, place)
    const name = optional(inline['PolicyName'], (value) => stringAt(value, place)) ?? logicalId
    return readPolicy(inline['PolicyDocument'], name, 'identity', `${place}.PolicyDocument`)
  })
}

function managedPolicies(
  { properties, at }: Resource,
  managed: ReadonlyMap<string, PolicyDocument>,
): readonly PolicyDocument[] {
  const place = `${at}.ManagedPolicyArns`
  return arrayAt(properties['ManagedPolicyArns'] ?? [], place).flatMap((value) => {
    const arn = stringAt(value, place)
    const own = managed.get(arn)
    if (own === undefined && !RUNTIME_POLICIES.includes(arn)) {
      throw new TemplateError(place, `local mode does not know the managed policy ${arn}`)
    }
    return own === undefined ? [] : [own]
  })
}

export function readResourcePolicies(resources: Resources): readonly ResourcePolicySpec[] {
  const policies: ResourcePolicySpec[] = []
  const add = (resourceArn: string, document: unknown, resource: Resource): void => {
    const policy = readPolicy(document, resource.logicalId, 'resource', `${resource.at}.PolicyDocument`)
    policies.push({ resourceArn, policy })
  }
  const arnOf = (types: readonly string[], ref: string, at: string): string => {
    const owner = resources.ofType(...types).find(({ identity }) => identity.ref === ref)
    if (owner === undefined) throw new TemplateError(at, `belongs to ${ref}, which the template does not have`)
    return owner.identity.attributes['Arn'] ?? owner.identity.ref
  }
  for (const policy of resources.ofType('AWS::SQS::QueuePolicy')) {
    for (const url of stringsAt(policy.properties['Queues'], `${policy.at}.Queues`)) {
      add(arnOf(['AWS::SQS::Queue'], url, policy.at), policy.properties['PolicyDocument'], policy)
    }
  }
  for (const policy of resources.ofType('AWS::S3::BucketPolicy')) {
    const bucket = stringAt(policy.properties['Bucket'], `${policy.at}.Bucket`)
    add(arnOf(['AWS::S3::Bucket'], bucket, policy.at), policy.properties['PolicyDocument'], policy)
  }
  for (const policy of resources.ofType('AWS::SecretsManager::ResourcePolicy')) {
    add(stringAt(policy.properties['SecretId'], policy.at), policy.properties['ResourcePolicy'], policy)
  }
  for (const key of resources.ofType('AWS::KMS::Key')) {
    add(key.identity.attributes['Arn'] ?? '', key.properties['KeyPolicy'], key)
  }
  for (const table of resources.ofType('AWS::DynamoDB::Table', 'AWS::DynamoDB::GlobalTable')) {
    const [replica] = arrayAt(table.properties['Replicas'] ?? [], table.at)
    const holder = table.properties['ResourcePolicy'] ?? (isObject(replica) ? replica['ResourcePolicy'] : undefined)
    if (isObject(holder)) add(table.identity.attributes['Arn'] ?? '', holder['PolicyDocument'], table)
  }
  return policies
}
