import { ApiMapping, DomainName, type IApi, type IStage, SecurityPolicy } from 'aws-cdk-lib/aws-apigatewayv2'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import { type Distribution, SecurityPolicyProtocol } from 'aws-cdk-lib/aws-cloudfront'
import { AaaaRecord, ARecord, HostedZone, type IAliasRecordTarget, RecordTarget } from 'aws-cdk-lib/aws-route53'
import { ApiGatewayv2DomainProperties, CloudFrontTarget } from 'aws-cdk-lib/aws-route53-targets'
import { Construct } from 'constructs'
import { z } from 'zod'

const nameSchema = z
  .string()
  .regex(/^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/, 'a domain name in lower case, e.g. api.example.com')

export interface DomainSettings {
  /** In lower case, e.g. `api.example.com`. */
  readonly name: string
  /** Of AWS Certificate Manager, for that name. */
  readonly certificateArn: string
}

/** Names of one's own in place of those that AWS gives. Each may be left out. See docs/operations.md. */
export interface DomainsSettings {
  /** The certificate is in the stack's region. */
  readonly httpApi?: DomainSettings
  readonly liveApi?: DomainSettings
  /** CloudFront wants the certificate in us-east-1. */
  readonly console?: DomainSettings
  /** Route 53's zone that gets the records. Absent: you make them. */
  readonly hostedZone?: { readonly id: string; readonly name: string }
}

const domainSchema = z.strictObject({
  name: nameSchema,
  certificateArn: z
    .string()
    .regex(/^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate\/[0-9a-f-]+$/, 'the ARN of a certificate'),
} satisfies Record<keyof DomainSettings, z.ZodType>)

export const domainsSchema = z
  .strictObject({
    httpApi: domainSchema.optional(),
    liveApi: domainSchema.optional(),
    console: domainSchema.optional(),
    hostedZone: z
      .strictObject({ id: z.string().regex(/^Z[A-Z0-9]+$/, 'the id of a zone'), name: nameSchema })
      .optional(),
  } satisfies Record<keyof DomainsSettings, z.ZodType>)
  .superRefine(({ httpApi, liveApi, console: page, hostedZone }, context) => {
    const named = { httpApi, liveApi, console: page }
    const wrong = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message })
    if (page !== undefined && regionOf(page) !== 'us-east-1') {
      wrong(['console', 'certificateArn'], 'must be in us-east-1, where CloudFront looks for it')
    }
    if (httpApi !== undefined && liveApi !== undefined && regionOf(httpApi) !== regionOf(liveApi)) {
      wrong(['liveApi', 'certificateArn'], "must be in the stack's region, as that of httpApi")
    }
    const seen = new Set<string>()
    for (const [part, domain] of Object.entries(named)) {
      if (domain === undefined) continue
      if (seen.has(domain.name)) wrong([part, 'name'], `${domain.name} is named twice`)
      seen.add(domain.name)
      const isInZone = domain.name === hostedZone?.name || domain.name.endsWith(`.${hostedZone?.name}`)
      if (hostedZone !== undefined && !isInZone) wrong([part, 'name'], `is not in the zone ${hostedZone.name}`)
    }
    if (seen.size === 0) wrong([], 'name at least one of httpApi, liveApi and console')
  })

type Domain = z.output<typeof domainSchema>
export type Domains = z.output<typeof domainsSchema>

const regionOf = ({ certificateArn }: Domain): string | undefined => certificateArn.split(':')[3]

export interface ApiDomainProps {
  readonly api: IApi
  readonly stage: IStage
  readonly domain: Domain
  readonly zone: Domains['hostedZone']
}

/** An API under a name of one's own; its stage is at the root. */
export class ApiDomain extends Construct {
  readonly name: DomainName

  constructor(scope: Construct, id: string, { api, stage, domain, zone }: ApiDomainProps) {
    super(scope, id)
    this.name = new DomainName(this, 'Name', {
      domainName: domain.name,
      certificate: Certificate.fromCertificateArn(this, 'Certificate', domain.certificateArn),
      securityPolicy: SecurityPolicy.TLS_1_2,
    })
    new ApiMapping(this, 'Mapping', { api, stage, domainName: this.name })
    const { regionalDomainName, regionalHostedZoneId } = this.name
    addRecords(this, domain, zone, new ApiGatewayv2DomainProperties(regionalDomainName, regionalHostedZoneId))
  }
}

/** What a distribution needs to be reached by the name. */
export function distributionDomain(scope: Construct, domain: Domain | undefined) {
  if (domain === undefined) return {}
  return {
    domainNames: [domain.name],
    certificate: Certificate.fromCertificateArn(scope, 'Certificate', domain.certificateArn),
    minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021,
  }
}

export function nameDistribution(scope: Construct, distribution: Distribution, domains: Domains | undefined): void {
  if (domains?.console === undefined) return
  addRecords(scope, domains.console, domains.hostedZone, new CloudFrontTarget(distribution))
}

function addRecords(scope: Construct, { name }: Domain, zone: Domains['hostedZone'], to: IAliasRecordTarget): void {
  if (zone === undefined) return
  const record = {
    zone: HostedZone.fromHostedZoneAttributes(scope, 'Zone', { hostedZoneId: zone.id, zoneName: zone.name }),
    recordName: `${name}.`,
    target: RecordTarget.fromAlias(to),
  }
  new ARecord(scope, 'Ipv4', record)
  new AaaaRecord(scope, 'Ipv6', record)
}
