/**
 * The closed table of resource types. A type that is not here is an error that names it; so is a property of a type that
 * runs which is neither read nor listed as making no difference on one machine.
 */

export type ResourceType =
  | {
      readonly kind: 'runs'
      /** Properties that decide what runs. */
      readonly reads: readonly string[]
      /** Properties that make no difference on one machine. */
      readonly ignores: readonly string[]
    }
  | { readonly kind: 'nothing to run'; readonly reason: string }

const runs = (reads: readonly string[], ignores: readonly string[] = []): ResourceType => ({
  kind: 'runs',
  reads,
  ignores,
})
const nothing = (reason: string): ResourceType => ({ kind: 'nothing to run', reason })

const NETWORK = 'everything talks over the loopback interface'
const WATCHING = 'alarms and dashboards watch metrics of AWS'
const LOGGING = 'logs go to the terminal and to GET /_local/logs'
const BACKUP = 'the state folder is the backup'
const SCALING = '--workers and POST /_local/services/NAME/scale set the count'
const DELIVERY = 'it tells AWS how to report, not what runs'

const TYPES: Readonly<Record<string, ResourceType>> = {
  'AWS::SQS::Queue': runs(
    [
      'QueueName',
      'FifoQueue',
      'ContentBasedDeduplication',
      'DeduplicationScope',
      'FifoThroughputLimit',
      'DelaySeconds',
      'MaximumMessageSize',
      'MessageRetentionPeriod',
      'ReceiveMessageWaitTimeSeconds',
      'VisibilityTimeout',
      'RedrivePolicy',
      'KmsMasterKeyId',
    ],
    ['RedriveAllowPolicy', 'SqsManagedSseEnabled', 'KmsDataKeyReusePeriodSeconds', 'Tags'],
  ),
  'AWS::SQS::QueuePolicy': runs(['PolicyDocument', 'Queues']),
  'AWS::DynamoDB::Table': runs(
    [
      'TableName',
      'AttributeDefinitions',
      'KeySchema',
      'GlobalSecondaryIndexes',
      'LocalSecondaryIndexes',
      'StreamSpecification',
      'TimeToLiveSpecification',
      'SSESpecification',
      'ResourcePolicy',
    ],
    [
      'BillingMode',
      'ProvisionedThroughput',
      'OnDemandThroughput',
      'PointInTimeRecoverySpecification',
      'DeletionProtectionEnabled',
      'ContributorInsightsSpecification',
      'TableClass',
      'WarmThroughput',
      'Tags',
    ],
  ),
  'AWS::DynamoDB::GlobalTable': runs(
    [
      'TableName',
      'AttributeDefinitions',
      'KeySchema',
      'GlobalSecondaryIndexes',
      'LocalSecondaryIndexes',
      'StreamSpecification',
      'TimeToLiveSpecification',
      'SSESpecification',
      'Replicas',
    ],
    [
      'BillingMode',
      'WriteProvisionedThroughputSettings',
      'WriteOnDemandThroughputSettings',
      'ReadOnDemandThroughputSettings',
      'WarmThroughput',
      'MultiRegionConsistency',
    ],
  ),
  'AWS::S3::Bucket': runs(
    ['BucketName', 'BucketEncryption', 'CorsConfiguration', 'VersioningConfiguration'],
    [
      'LifecycleConfiguration',
      'PublicAccessBlockConfiguration',
      'OwnershipControls',
      'AccessControl',
      'LoggingConfiguration',
      'MetricsConfigurations',
      'IntelligentTieringConfigurations',
      'Tags',
    ],
  ),
  'AWS::S3::BucketPolicy': runs(['Bucket', 'PolicyDocument']),
  'AWS::KMS::Key': runs(
    ['KeyPolicy', 'Enabled'],
    [
      'EnableKeyRotation',
      'RotationPeriodInDays',
      'Description',
      'KeySpec',
      'KeyUsage',
      'MultiRegion',
      'Origin',
      'PendingWindowInDays',
      'BypassPolicyLockoutSafetyCheck',
      'Tags',
    ],
  ),
  'AWS::KMS::Alias': runs(['AliasName', 'TargetKeyId']),
  'AWS::SecretsManager::Secret': runs(
    ['Name', 'SecretString', 'GenerateSecretString', 'KmsKeyId'],
    ['Description', 'ReplicaRegions', 'Tags'],
  ),
  'AWS::SecretsManager::ResourcePolicy': runs(['SecretId', 'ResourcePolicy'], ['BlockPublicPolicy']),
  'AWS::SSM::Parameter': runs(
    ['Name', 'Type', 'Value'],
    ['Description', 'Tier', 'AllowedPattern', 'DataType', 'Policies', 'Tags'],
  ),
  'AWS::IAM::Role': runs(
    ['RoleName', 'AssumeRolePolicyDocument', 'Policies', 'ManagedPolicyArns'],
    ['Description', 'MaxSessionDuration', 'Path', 'Tags'],
  ),
  'AWS::IAM::Policy': runs(['PolicyDocument', 'PolicyName', 'Roles']),
  'AWS::IAM::ManagedPolicy': runs(['PolicyDocument', 'ManagedPolicyName', 'Roles'], ['Description', 'Path']),
  'AWS::Lambda::Function': runs(
    [
      'FunctionName',
      'Code',
      'Handler',
      'Runtime',
      'Role',
      'Environment',
      'Timeout',
      'MemorySize',
      'ReservedConcurrentExecutions',
      'PackageType',
    ],
    ['Architectures', 'Description', 'LoggingConfig', 'TracingConfig', 'EphemeralStorage', 'RecursiveLoop', 'Tags'],
  ),
  'AWS::Lambda::Permission': runs(['Action', 'FunctionName', 'Principal', 'SourceArn', 'SourceAccount']),
  'AWS::Lambda::EventSourceMapping': runs(
    [
      'BatchSize',
      'BisectBatchOnFunctionError',
      'DestinationConfig',
      'Enabled',
      'EventSourceArn',
      'FilterCriteria',
      'FunctionName',
      'FunctionResponseTypes',
      'MaximumBatchingWindowInSeconds',
      'MaximumRecordAgeInSeconds',
      'MaximumRetryAttempts',
      'ParallelizationFactor',
      'ScalingConfig',
      'StartingPosition',
    ],
    ['MetricsConfig', 'LoggingConfig', 'Tags'],
  ),
  'AWS::ApiGatewayV2::Api': runs(
    ['Name', 'ProtocolType', 'CorsConfiguration', 'RouteSelectionExpression', 'DisableExecuteApiEndpoint'],
    ['Description', 'Version', 'IpAddressType', 'Tags'],
  ),
  'AWS::ApiGatewayV2::Stage': runs(
    ['ApiId', 'StageName', 'AutoDeploy', 'StageVariables'],
    ['AccessLogSettings', 'DefaultRouteSettings', 'RouteSettings', 'Description', 'Tags'],
  ),
  'AWS::ApiGatewayV2::Integration': runs(
    ['ApiId', 'IntegrationType', 'IntegrationUri', 'PayloadFormatVersion', 'TimeoutInMillis', 'IntegrationMethod'],
    ['Description', 'ConnectionType'],
  ),
  'AWS::ApiGatewayV2::Route': runs(
    ['ApiId', 'RouteKey', 'Target', 'AuthorizationType', 'AuthorizerId', 'RouteResponseSelectionExpression'],
    ['OperationName'],
  ),
  'AWS::ApiGatewayV2::RouteResponse': runs(['ApiId', 'RouteId', 'RouteResponseKey']),
  'AWS::ApiGatewayV2::Authorizer': runs([
    'ApiId',
    'AuthorizerType',
    'AuthorizerUri',
    'AuthorizerPayloadFormatVersion',
    'AuthorizerResultTtlInSeconds',
    'EnableSimpleResponses',
    'IdentitySource',
    'Name',
  ]),
  'AWS::ApiGatewayV2::DomainName': runs(['DomainName'], ['DomainNameConfigurations', 'Tags']),
  'AWS::ApiGatewayV2::ApiMapping': runs(['ApiId', 'DomainName', 'Stage']),
  'AWS::Events::EventBus': runs(['Name'], ['Description', 'Tags']),
  'AWS::Events::Rule': runs(
    ['Name', 'EventBusName', 'EventPattern', 'ScheduleExpression', 'State', 'Targets'],
    ['Description', 'RoleArn', 'Tags'],
  ),
  'AWS::ECS::Cluster': runs(
    ['ClusterName'],
    ['ClusterSettings', 'CapacityProviders', 'DefaultCapacityProviderStrategy', 'Configuration', 'Tags'],
  ),
  'AWS::ECS::TaskDefinition': runs(
    ['Family', 'ContainerDefinitions', 'TaskRoleArn', 'ExecutionRoleArn', 'Volumes'],
    ['Cpu', 'Memory', 'NetworkMode', 'RequiresCompatibilities', 'RuntimePlatform', 'EphemeralStorage', 'Tags'],
  ),
  'AWS::ECS::Service': runs(
    ['ServiceName', 'Cluster', 'TaskDefinition', 'DesiredCount', 'DeploymentConfiguration'],
    [
      'LaunchType',
      'PlatformVersion',
      'NetworkConfiguration',
      'DeploymentController',
      'EnableECSManagedTags',
      'EnableExecuteCommand',
      'HealthCheckGracePeriodSeconds',
      'PropagateTags',
      'CapacityProviderStrategy',
      'AvailabilityZoneRebalancing',
      'SchedulingStrategy',
      'Tags',
    ],
  ),

  'AWS::CloudFront::Distribution': runs(['DistributionConfig'], ['Tags']),
  'AWS::CloudFront::ResponseHeadersPolicy': runs(['ResponseHeadersPolicyConfig']),
  'AWS::CloudFront::OriginAccessControl': nothing("the bucket's policy decides who reads it"),

  'AWS::CDK::Metadata': nothing('it counts constructs'),
  'AWS::Logs::LogGroup': nothing(LOGGING),
  'AWS::Logs::MetricFilter': nothing(LOGGING),
  'AWS::Logs::ResourcePolicy': nothing(LOGGING),
  'AWS::Logs::QueryDefinition': nothing(LOGGING),
  'AWS::CloudWatch::Alarm': nothing(WATCHING),
  'AWS::CloudWatch::CompositeAlarm': nothing(WATCHING),
  'AWS::CloudWatch::Dashboard': nothing(WATCHING),
  'AWS::SNS::Topic': nothing('only alarms publish to it'),
  'AWS::SNS::TopicPolicy': nothing('only alarms publish to it'),
  'AWS::SNS::Subscription': nothing('only alarms publish to it'),
  'AWS::ApiGateway::Account': nothing(DELIVERY),
  'AWS::Route53::RecordSet': nothing('names are not looked up on one machine'),
  'AWS::ApiGatewayV2::Deployment': nothing('what runs is always the newest'),
  'AWS::ApplicationAutoScaling::ScalableTarget': nothing(SCALING),
  'AWS::ApplicationAutoScaling::ScalingPolicy': nothing(SCALING),
  'AWS::Backup::BackupPlan': nothing(BACKUP),
  'AWS::Backup::BackupSelection': nothing(BACKUP),
  'AWS::Backup::BackupVault': nothing(BACKUP),
  'AWS::EC2::VPC': nothing(NETWORK),
  'AWS::EC2::VPCGatewayAttachment': nothing(NETWORK),
  'AWS::EC2::VPCEndpoint': nothing(NETWORK),
  'AWS::EC2::VPCCidrBlock': nothing(NETWORK),
  'AWS::EC2::Subnet': nothing(NETWORK),
  'AWS::EC2::RouteTable': nothing(NETWORK),
  'AWS::EC2::SubnetRouteTableAssociation': nothing(NETWORK),
  'AWS::EC2::Route': nothing(NETWORK),
  'AWS::EC2::InternetGateway': nothing(NETWORK),
  'AWS::EC2::EgressOnlyInternetGateway': nothing(NETWORK),
  'AWS::EC2::NatGateway': nothing(NETWORK),
  'AWS::EC2::EIP': nothing(NETWORK),
  'AWS::EC2::SecurityGroup': nothing(NETWORK),
  'AWS::EC2::SecurityGroupIngress': nothing(NETWORK),
  'AWS::EC2::SecurityGroupEgress': nothing(NETWORK),
  'AWS::EC2::FlowLog': nothing(NETWORK),
  'AWS::EC2::NetworkAcl': nothing(NETWORK),
  'AWS::EC2::NetworkAclEntry': nothing(NETWORK),
  'AWS::ECS::ClusterCapacityProviderAssociations': nothing('all tasks are child processes'),
}

/** Made by a function of the template: what they take is its business. */
export function isCustom(type: string): boolean {
  return type.startsWith('Custom::') || type === 'AWS::CloudFormation::CustomResource'
}

export function resourceType(type: string): ResourceType | undefined {
  return isCustom(type) ? runs([]) : TYPES[type]
}
