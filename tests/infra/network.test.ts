import { App, Stack } from 'aws-cdk-lib'
import { Match, Template } from 'aws-cdk-lib/assertions'
import { describe, expect, it } from 'vitest'
import { Alarms } from '../../infra/alarms.ts'
import { Connector } from '../../infra/connector.ts'
import { Queues } from '../../infra/queues.ts'
import { parseSettings } from '../../infra/settings.ts'
import { Storage } from '../../infra/storage.ts'

/** The connector in a stack of its own, without the rest. */
function connectorIn(network: string): Template {
  const settings = parseSettings({ network, partitions: 2 })
  const app = new App({ context: { 'aws:cdk:bundling-stacks': [] } })
  const stack = new Stack(app, 'Here', { env: { account: '123456789012', region: 'eu-west-1' } })
  const storage = new Storage(stack, 'Storage', settings)
  const queues = new Queues(stack, 'Queues', settings)
  new Connector(stack, 'Connector', { settings, storage, queues, alarms: new Alarms(stack, 'Alarms', { settings }) })
  return Template.fromStack(stack)
}

const gatewayEndpoints = (template: Template) =>
  Object.values(template.findResources('AWS::EC2::VPCEndpoint', { Properties: { VpcEndpointType: 'Gateway' } }))

/** Rules that let somebody in, wherever they stand. */
function ways(template: Template) {
  const groups = Object.values(template.findResources('AWS::EC2::SecurityGroup'))
  return [
    ...groups.flatMap(({ Properties }) => Properties['SecurityGroupIngress'] ?? []),
    ...Object.values(template.findResources('AWS::EC2::SecurityGroupIngress')).map(({ Properties }) => Properties),
  ]
}

describe('public, the default', () => {
  it('is what nobody has to ask for', () => {
    expect(parseSettings({}).network).toEqual({ kind: 'public' })
  })

  it('has workers with addresses of their own, no NAT gateway to pay for, and S3 and DynamoDB by endpoints', () => {
    const template = connectorIn('public')
    template.resourceCountIs('AWS::EC2::NatGateway', 0)
    template.hasResourceProperties('AWS::ECS::Service', {
      NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp: 'ENABLED' } },
    })
    expect(gatewayEndpoints(template)).toHaveLength(2)
    template.resourceCountIs('AWS::EC2::VPCEndpoint', 2)
    const subnets = Object.values(template.findResources('AWS::EC2::Subnet'))
    expect(subnets).toHaveLength(2)
    for (const { Properties } of subnets) expect(Properties['MapPublicIpOnLaunch']).toBe(true)
    // Nothing may call a worker, address or not.
    expect(ways(template)).toEqual([])
    template.resourceCountIs('AWS::EC2::FlowLog', 1)
  })
})

describe('private', () => {
  it('has workers without addresses, one NAT gateway, and AWS’s services by endpoints that only they may call', () => {
    const template = connectorIn('private')
    template.resourceCountIs('AWS::EC2::NatGateway', 1)
    template.hasResourceProperties('AWS::ECS::Service', {
      NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp: 'DISABLED' } },
    })
    expect(gatewayEndpoints(template)).toHaveLength(2)
    const services = Object.values(template.findResources('AWS::EC2::VPCEndpoint'))
      .filter(({ Properties }) => Properties['VpcEndpointType'] === 'Interface')
      .map(({ Properties }) => String(Properties['ServiceName']).replace(/^com\.amazonaws\.eu-west-1\./, ''))
    expect(services.sort()).toEqual(['ecr.api', 'ecr.dkr', 'kms', 'logs', 'sqs'])
    expect(ways(template)).toEqual([
      expect.objectContaining({ FromPort: 443, ToPort: 443, SourceSecurityGroupId: expect.anything() }),
    ])
    template.resourceCountIs('AWS::EC2::FlowLog', 1)
  })
})

describe('an existing VPC', () => {
  it('is looked up, and has workers in its private subnets', () => {
    const template = connectorIn('vpc-0123456789abcdef0')
    template.resourceCountIs('AWS::EC2::VPC', 0)
    template.hasResourceProperties('AWS::ECS::Service', {
      NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp: 'DISABLED', Subnets: Match.anyValue() } },
    })
  })
})
