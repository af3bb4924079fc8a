import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import { AttributeType, Billing, ProjectionType, StreamViewType, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { Key } from 'aws-cdk-lib/aws-kms'
import { BlockPublicAccess, Bucket, BucketEncryption, HttpMethods, ObjectOwnership } from 'aws-cdk-lib/aws-s3'
import { Secret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import { type KeyAttribute, type TableName, tableNames, tables } from '../shared/aws/tables.ts'
import { acknowledge } from './acknowledge.ts'
import type { Settings } from './settings.ts'

const attribute = (key: KeyAttribute) => ({
  name: key.name,
  type: key.type === 'N' ? AttributeType.NUMBER : AttributeType.STRING,
})

/** Everything that must outlive a deployment: tables, the auth and media buckets, the admin key. */
export class Storage extends Construct {
  readonly tables: Readonly<Record<TableName, TableV2>>
  readonly authBucket: Bucket
  readonly authKey: Key
  readonly mediaBucket: Bucket
  readonly mediaKey: Key
  readonly adminApiKey: Secret
  /** Encrypts what signs webhooks. */
  readonly webhookKey: Key

  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id)
    const removalPolicy = settings.dataRemoval === 'retain' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY

    const table = (name: TableName) => {
      const definition = tables[name]
      return new TableV2(this, `${name[0]?.toUpperCase()}${name.slice(1)}Table`, {
        partitionKey: attribute(definition.partitionKey),
        sortKey: attribute(definition.sortKey),
        globalSecondaryIndexes: definition.indexes.map((index) => ({
          indexName: index.name,
          partitionKey: attribute(index.partitionKey),
          sortKey: attribute(index.sortKey),
          ...(index.keysOnly ? { projectionType: ProjectionType.KEYS_ONLY } : {}),
        })),
        billing: Billing.onDemand(),
        pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
        ...(definition.stream ? { dynamoStream: StreamViewType[definition.stream] } : {}),
        ...(definition.ttl ? { timeToLiveAttribute: definition.ttl } : {}),
        removalPolicy,
        deletionProtection: settings.dataRemoval === 'retain',
      })
    }
    this.tables = Object.fromEntries(tableNames.map((name) => [name, table(name)])) as Record<TableName, TableV2>

    this.authKey = new Key(this, 'AuthKey', {
      description: 'Encrypts the auth state of WhatsApp connections',
      enableKeyRotation: true,
      removalPolicy,
    })
    this.authBucket = new Bucket(this, 'AuthBucket', {
      encryption: BucketEncryption.KMS,
      encryptionKey: this.authKey,
      bucketKeyEnabled: true,
      versioned: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      lifecycleRules: [
        { id: 'old-versions', noncurrentVersionExpiration: Duration.days(7) },
        { id: 'unfinished-uploads', abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
      removalPolicy,
    })
    acknowledge(
      this.authBucket,
      'AwsSolutions-S1',
      'Only the connector role reads and writes this bucket; object access is auditable by CloudTrail data events.',
    )

    this.mediaKey = new Key(this, 'MediaKey', {
      description: 'Encrypts media of WhatsApp messages',
      enableKeyRotation: true,
      removalPolicy,
    })
    this.mediaBucket = new Bucket(this, 'MediaBucket', {
      encryption: BucketEncryption.KMS,
      encryptionKey: this.mediaKey,
      bucketKeyEnabled: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      lifecycleRules: [
        { id: 'end-of-media', expiration: Duration.days(settings.mediaRetentionDays) },
        { id: 'unfinished-uploads', abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
      // Browsers upload to and download from presigned addresses; who has none gets nothing from any origin.
      cors: [
        {
          allowedOrigins: [...settings.corsOrigins],
          allowedMethods: [HttpMethods.PUT, HttpMethods.GET, HttpMethods.HEAD],
          allowedHeaders: ['content-type', 'x-amz-checksum-sha256'],
          exposedHeaders: ['etag'],
          maxAge: 3_600,
        },
      ],
      removalPolicy,
    })
    acknowledge(
      this.mediaBucket,
      'AwsSolutions-S1',
      'Objects are reached by addresses of some minutes, each given out by an API call that is logged; object access is auditable by CloudTrail data events.',
    )
    this.webhookKey = new Key(this, 'WebhookKey', {
      description: 'Encrypts signing secrets and headers of webhooks',
      enableKeyRotation: true,
      removalPolicy,
    })

    this.adminApiKey = new Secret(this, 'AdminApiKey', {
      description: 'X-Api-Key of the Holdfast admin routes',
      generateSecretString: { passwordLength: 48, excludePunctuation: true },
      removalPolicy,
    })
    acknowledge(
      this.adminApiKey,
      'AwsSolutions-SMG4',
      'The admin key is handed to people and scripts; rotating it on a timer would lock them out. It is rotated by hand.',
    )
  }
}
