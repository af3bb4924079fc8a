import { RemovalPolicy } from 'aws-cdk-lib'
import {
  FlowLogDestination,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  type IVpc,
  SecurityGroup,
  type SubnetSelection,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { assertNever } from '../shared/domain/words.ts'
import { logRetention, type Settings } from './settings.ts'

export interface Network {
  readonly vpc: IVpc
  readonly subnets: SubnetSelection
  /** Tasks in public subnets reach the Internet by an address of their own; nothing may call them. */
  readonly assignPublicIp: boolean
  /** Of the endpoints of AWS's services, where there are some: it lets in whom it is told to. */
  readonly endpoints?: SecurityGroup
}

/**
 * Where the workers run.
 * - `public`: a VPC of public subnets without NAT, the cheapest. S3 and DynamoDB by gateway endpoints.
 * - `private`: private subnets; AWS's services by interface endpoints, WhatsApp through one NAT gateway.
 * - `vpc-…`: an existing VPC, in its private subnets with egress. The app then needs an account and a region (`env`).
 *
 * @param given a VPC of the caller's own app, which goes before the setting
 */
export function networkOf(scope: Construct, settings: Settings, given?: IVpc): Network {
  const privateSubnets = { subnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS }, assignPublicIp: false }
  if (given !== undefined) return { vpc: given, ...privateSubnets }
  const { network } = settings
  if (network.kind === 'existing') {
    return { vpc: Vpc.fromLookup(scope, 'Vpc', { vpcId: network.vpcId }), ...privateSubnets }
  }
  const isPrivate = network.kind === 'private'
  const vpc = new Vpc(scope, 'Vpc', {
    maxAzs: 2,
    natGateways: isPrivate ? 1 : 0,
    restrictDefaultSecurityGroup: false,
    subnetConfiguration: [
      { name: 'public', subnetType: SubnetType.PUBLIC },
      ...(isPrivate ? [{ name: 'private', subnetType: SubnetType.PRIVATE_WITH_EGRESS }] : []),
    ],
    gatewayEndpoints: {
      S3: { service: GatewayVpcEndpointAwsService.S3 },
      DynamoDB: { service: GatewayVpcEndpointAwsService.DYNAMODB },
    },
  })
  vpc.addFlowLog('FlowLog', {
    destination: FlowLogDestination.toCloudWatchLogs(
      new LogGroup(scope, 'FlowLogs', { retention: logRetention(settings), removalPolicy: RemovalPolicy.DESTROY }),
    ),
  })
  switch (network.kind) {
    case 'public':
      return { vpc, subnets: { subnetType: SubnetType.PUBLIC }, assignPublicIp: true }
    case 'private': {
      const services = {
        Sqs: InterfaceVpcEndpointAwsService.SQS,
        Kms: InterfaceVpcEndpointAwsService.KMS,
        Logs: InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
        EcrApi: InterfaceVpcEndpointAwsService.ECR,
        EcrDocker: InterfaceVpcEndpointAwsService.ECR_DOCKER,
      }
      const endpoints = new SecurityGroup(scope, 'EndpointsSecurityGroup', {
        vpc,
        description: 'Endpoints of AWS services: called by Holdfast, call nobody',
        allowAllOutbound: false,
      })
      for (const [name, service] of Object.entries(services)) {
        vpc.addInterfaceEndpoint(name, { service, open: false, securityGroups: [endpoints] })
      }
      return { vpc, endpoints, ...privateSubnets }
    }
    default:
      return assertNever(network)
  }
}
