/**
 * Physical names. They are functions of the stack, the logical id and the explicit name alone, so `Ref` and `Fn::GetAtt`
 * need no order of creation, and a restart finds what the last run made.
 */
import { createHash } from 'node:crypto'
import { TemplateError } from './errors.ts'

export interface Place {
  readonly region: string
  readonly account: string
  /** The front, e.g. `http://127.0.0.1:4500`: queue URLs start with it. */
  readonly endpoint: string
}

export interface Identity {
  readonly ref: string
  /** The name part of the ARN: what the emulators know the resource by. */
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
}

export interface Naming {
  readonly stackName: string
  readonly logicalId: string
  readonly type: string
  /** An evaluated property, for explicit names and ids of parents. */
  property(name: string): string | undefined
}

/** What CloudFormation would call a stream made now; constant, so that policies and mappings agree on it. */
const STREAM_LABEL = '2025-01-01T00:00:00.000'

export function identify(naming: Naming, place: Place): Identity {
  const { stackName, logicalId, type } = naming
  const arn = (service: string, rest: string): string => `arn:aws:${service}:${place.region}:${place.account}:${rest}`
  const generated = `${stackName}-${logicalId}`
  const named = (property: string): string => naming.property(property) ?? generated
  switch (type) {
    case 'AWS::SQS::Queue': {
      const fifo = naming.property('FifoQueue') === 'true'
      const name = naming.property('QueueName') ?? clip(generated, 75) + (fifo ? '.fifo' : '')
      const url = `${place.endpoint}/${place.account}/${name}`
      return { ref: url, name, attributes: { Arn: arn('sqs', name), QueueName: name, QueueUrl: url } }
    }
    case 'AWS::DynamoDB::Table':
    case 'AWS::DynamoDB::GlobalTable': {
      const name = named('TableName')
      const tableArn = arn('dynamodb', `table/${name}`)
      const stream = `${tableArn}/stream/${STREAM_LABEL}`
      return { ref: name, name, attributes: { Arn: tableArn, StreamArn: stream, TableId: shortId(generated, 36) } }
    }
    case 'AWS::S3::Bucket': {
      const name = naming.property('BucketName') ?? clip(generated.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-'), 63)
      const domain = `${name}.s3.amazonaws.com`
      const regional = `${name}.s3.${place.region}.amazonaws.com`
      return {
        ref: name,
        name,
        attributes: { Arn: `arn:aws:s3:::${name}`, DomainName: domain, RegionalDomainName: regional },
      }
    }
    case 'AWS::KMS::Key': {
      const id = uuid(generated)
      return { ref: id, name: id, attributes: { Arn: arn('kms', `key/${id}`), KeyId: id } }
    }
    case 'AWS::KMS::Alias': {
      const alias = named('AliasName')
      return { ref: alias, name: alias, attributes: {} }
    }
    case 'AWS::SecretsManager::Secret': {
      const name = named('Name')
      const secretArn = arn('secretsmanager', `secret:${name}-${shortId(generated, 6)}`)
      return { ref: secretArn, name, attributes: { Id: secretArn } }
    }
    case 'AWS::SSM::Parameter': {
      const name = named('Name')
      return {
        ref: name,
        name,
        attributes: { Type: naming.property('Type') ?? 'String', Value: naming.property('Value') ?? '' },
      }
    }
    case 'AWS::IAM::Role': {
      const name = naming.property('RoleName') ?? clip(generated, 64)
      const attributes = {
        Arn: `arn:aws:iam::${place.account}:role/${name}`,
        RoleId: `AROA${shortId(generated, 16).toUpperCase()}`,
      }
      return { ref: name, name, attributes }
    }
    case 'AWS::IAM::ManagedPolicy': {
      const name = named('ManagedPolicyName')
      const policyArn = `arn:aws:iam::${place.account}:policy/${name}`
      return { ref: policyArn, name, attributes: { PolicyArn: policyArn } }
    }
    case 'AWS::Lambda::Function': {
      const name = naming.property('FunctionName') ?? clip(generated, 64)
      return { ref: name, name, attributes: { Arn: arn('lambda', `function:${name}`) } }
    }
    case 'AWS::ApiGatewayV2::Api': {
      const id = shortId(generated, 10)
      const scheme = naming.property('ProtocolType') === 'WEBSOCKET' ? 'wss' : 'https'
      const host = `${id}.execute-api.${place.region}.amazonaws.com`
      return { ref: id, name: id, attributes: { ApiId: id, ApiEndpoint: `${scheme}://${host}` } }
    }
    case 'AWS::ApiGatewayV2::Stage': {
      const name = named('StageName')
      return { ref: name, name, attributes: {} }
    }
    case 'AWS::ApiGatewayV2::Integration':
    case 'AWS::ApiGatewayV2::Route':
    case 'AWS::ApiGatewayV2::RouteResponse':
    case 'AWS::ApiGatewayV2::Authorizer': {
      const id = shortId(generated, 7)
      return { ref: id, name: id, attributes: { IntegrationId: id, RouteId: id, AuthorizerId: id } }
    }
    case 'AWS::ApiGatewayV2::DomainName': {
      const name = named('DomainName')
      const host = `d-${shortId(generated, 10)}.execute-api.${place.region}.amazonaws.com`
      return { ref: name, name, attributes: { RegionalDomainName: host, RegionalHostedZoneId: 'ZLOCAL' } }
    }
    case 'AWS::Events::EventBus': {
      const name = named('Name')
      return { ref: name, name, attributes: { Arn: arn('events', `event-bus/${name}`), Name: name } }
    }
    case 'AWS::Events::Rule': {
      const name = naming.property('Name') ?? clip(generated, 64)
      const bus = naming.property('EventBusName')?.replace(/^arn:.*:event-bus\//, '')
      const path = bus === undefined || bus === 'default' ? name : `${bus}/${name}`
      return { ref: path, name, attributes: { Arn: arn('events', `rule/${path}`) } }
    }
    case 'AWS::ECS::Cluster': {
      const name = named('ClusterName')
      return { ref: name, name, attributes: { Arn: arn('ecs', `cluster/${name}`) } }
    }
    case 'AWS::ECS::TaskDefinition': {
      const family = named('Family').replaceAll(/[^A-Za-z0-9_-]/g, '')
      const taskArn = arn('ecs', `task-definition/${family}:1`)
      return { ref: taskArn, name: family, attributes: { TaskDefinitionArn: taskArn } }
    }
    case 'AWS::ECS::Service': {
      const name = named('ServiceName')
      const cluster = naming.property('Cluster')?.replace(/^arn:.*:cluster\//, '') ?? 'default'
      const serviceArn = arn('ecs', `service/${cluster}/${name}`)
      return { ref: serviceArn, name, attributes: { ServiceArn: serviceArn, Name: name } }
    }
    case 'AWS::CloudFront::Distribution': {
      const id = `E${shortId(generated, 13).toUpperCase()}`
      const distributionArn = `arn:aws:cloudfront::${place.account}:distribution/${id}`
      return {
        ref: id,
        name: id,
        attributes: { Id: id, Arn: distributionArn, DomainName: `d${shortId(generated, 13)}.cloudfront.net` },
      }
    }
    case 'AWS::Logs::LogGroup': {
      const name = named('LogGroupName')
      return { ref: name, name, attributes: { Arn: arn('logs', `log-group:${name}:*`) } }
    }
    default:
      return { ref: generated, name: generated, attributes: {} }
  }
}

/** An attribute of a resource that does not run: a stand-in that is recognizable wherever it shows up. */
export function inertAttribute(naming: Naming, attribute: string): string {
  return `${naming.stackName}-${naming.logicalId}.${attribute}`
}

export function attributeOf(identity: Identity, naming: Naming, attribute: string, at: string): string {
  const value = identity.attributes[attribute]
  if (value === undefined)
    throw new TemplateError(at, `local mode does not know the attribute ${attribute} of ${naming.type}`)
  return value
}

/** Lower-case letters and digits that only depend on the name. */
function shortId(name: string, length: number): string {
  const digest = createHash('sha256').update(name).digest()
  return BigInt(`0x${digest.toString('hex')}`)
    .toString(36)
    .slice(0, length)
    .padEnd(length, '0')
}

function uuid(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** Long names keep their start and end in a hash of the whole, so that two of them cannot meet. */
function clip(name: string, length: number): string {
  if (name.length <= length) return name
  return `${name.slice(0, length - 9)}-${createHash('sha256').update(name).digest('hex').slice(0, 8)}`
}
