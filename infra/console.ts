import { Aws, CfnResource, CustomResource, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib'
import {
  AllowedMethods,
  CachePolicy,
  Distribution,
  HeadersFrameOption,
  HeadersReferrerPolicy,
  HttpVersion,
  PriceClass,
  ResponseHeadersPolicy,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront'
import { S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { CfnFunction } from 'aws-cdk-lib/aws-lambda'
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { acknowledge, allObjectsFinding } from './acknowledge.ts'
import { distributionDomain, nameDistribution } from './domains.ts'
import { Handler } from './function.ts'
import type { Settings } from './settings.ts'
import { consoleSignIn, signInOrigins } from './sign-in.ts'
import type { Storage } from './storage.ts'

export interface ConsoleProps {
  readonly settings: Settings
  readonly storage: Storage
  readonly httpUrl: string
  readonly liveUrl: string
}

/** The web console: static files in a private bucket, behind a distribution that adds the security headers. */
export class Console extends Construct {
  readonly url: string

  constructor(scope: Construct, id: string, { settings, storage, httpUrl, liveUrl }: ConsoleProps) {
    super(scope, id)
    const bucket = new Bucket(this, 'Files', {
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      // What is in it comes from the deployment, and goes with it.
      removalPolicy: RemovalPolicy.DESTROY,
    })
    acknowledge(
      bucket,
      'AwsSolutions-S1',
      'It holds the same public files for everybody; nobody reads it but CloudFront.',
    )

    const media = `https://${storage.mediaBucket.bucketRegionalDomainName}`
    const apis = [httpUrl.replace(/\/$/, ''), liveUrl]
    const policy = [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      `img-src 'self' blob: data: ${media}`,
      `media-src blob: ${media}`,
      `connect-src 'self' ${[...apis.map(originOf), media, ...signInOrigins(settings.signIn)].join(' ')}`,
      "form-action 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
    ]
    const headers = new ResponseHeadersPolicy(this, 'Headers', {
      responseHeadersPolicyName: `holdfast-${settings.stage}-${Aws.REGION}-console`,
      securityHeadersBehavior: {
        contentSecurityPolicy: { contentSecurityPolicy: policy.join('; '), override: true },
        contentTypeOptions: { override: true },
        frameOptions: { frameOption: HeadersFrameOption.DENY, override: true },
        referrerPolicy: { referrerPolicy: HeadersReferrerPolicy.NO_REFERRER, override: true },
        strictTransportSecurity: {
          accessControlMaxAge: Duration.days(365),
          includeSubdomains: true,
          override: true,
        },
      },
    })
    const distribution = new Distribution(this, 'Distribution', {
      comment: `Holdfast console, ${settings.stage}`,
      defaultRootObject: 'index.html',
      httpVersion: HttpVersion.HTTP2_AND_3,
      priceClass: PriceClass.PRICE_CLASS_100,
      ...distributionDomain(this, settings.domains?.console),
      defaultBehavior: {
        origin: S3BucketOrigin.withOriginAccessControl(bucket),
        viewerProtocolPolicy: ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        allowedMethods: AllowedMethods.ALLOW_GET_HEAD,
        cachePolicy: CachePolicy.CACHING_OPTIMIZED,
        responseHeadersPolicy: headers,
        compress: true,
      },
    })
    for (const [rule, reason] of [
      ['CFR1', 'Who may use the console is decided by its sign-in, not by country.'],
      ['CFR2', 'Static files only: there is nothing behind it that a firewall would protect.'],
      ['CFR3', 'Who reads static files is not worth a log bucket; the API has access logs.'],
      ['CFR4', 'The default certificate of cloudfront.net; a domain of your own brings its own.'],
    ] as const) {
      acknowledge(distribution, `AwsSolutions-${rule}`, reason)
    }

    // The files are in the function's own bundle, so that what is deployed is one asset and needs no further grant.
    const deploy = new Handler(this, 'Deploy', {
      handler: 'deployments/console',
      settings,
      timeout: Duration.minutes(2),
      environment: { CONSOLE_BUCKET: bucket.bucketName },
    })
    deploy.addToRolePolicy(
      new PolicyStatement({ actions: ['s3:PutObject', 's3:DeleteObject'], resources: [bucket.arnForObjects('*')] }),
    )
    deploy.addToRolePolicy(new PolicyStatement({ actions: ['s3:ListBucket'], resources: [bucket.bucketArn] }))
    if (deploy.role !== undefined) {
      acknowledge(
        deploy.role,
        allObjectsFinding(this, bucket),
        'The names of the files carry hashes; the bucket holds nothing but the console.',
      )
    }
    const { code } = deploy.node.defaultChild as CfnFunction
    const files = new CustomResource(this, 'Deployment', {
      resourceType: 'Custom::HoldfastConsole',
      serviceToken: deploy.functionArn,
      properties: {
        // Another bundle is another deployment.
        Bundle: Stack.of(this).resolve(code).s3Key ?? 'without bundling',
        Config: {
          stage: settings.stage,
          httpUrl: apis[0],
          liveUrl,
          ...(settings.signIn === undefined ? {} : { signIn: consoleSignIn(settings.signIn) }),
        },
      },
    })
    // It is emptied before the bucket goes, and by a role that may.
    files.node.addDependency(bucket, deploy)
    for (const part of deploy.role?.node.findAll() ?? [])
      if (CfnResource.isCfnResource(part)) files.node.addDependency(part)

    nameDistribution(this, distribution, settings.domains)
    this.url = `https://${settings.domains?.console?.name ?? distribution.distributionDomainName}`
  }
}

/** Of a WebSocket URL the part before its stage: that is what a content security policy names. */
function originOf(url: string): string {
  return url.replace(/^(wss?:\/\/[^/]+)\/.*$/, '$1')
}
