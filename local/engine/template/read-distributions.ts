/** CloudFront distributions before a bucket, with the headers that they add, and custom resources. */
import { TemplateError } from './errors.ts'
import { arrayAt, isObject, type JsonObject, objectAt, onlyKeys, optional, stringAt, stringsAt } from './json.ts'
import type { Resources } from './resources.ts'
import type { CustomResourceSpec, DistributionSpec } from './specs.ts'

export function readDistributions(resources: Resources): readonly DistributionSpec[] {
  return resources.ofType('AWS::CloudFront::Distribution').map(({ identity, properties, title, at }) => {
    const config = objectAt(properties['DistributionConfig'], `${at}.DistributionConfig`)
    onlyKeys(
      config,
      // What is cached where, and over which protocol, makes no difference on one machine.
      [
        'Origins',
        'DefaultCacheBehavior',
        'DefaultRootObject',
        'Enabled',
        'Comment',
        'HttpVersion',
        'IPV6Enabled',
        'PriceClass',
        'Aliases',
        'ViewerCertificate',
      ],
      `${at}.DistributionConfig`,
    )
    const behavior = objectAt(config['DefaultCacheBehavior'], `${at}.DefaultCacheBehavior`)
    const originId = stringAt(behavior['TargetOriginId'], `${at}.TargetOriginId`)
    const origin = arrayAt(config['Origins'], `${at}.Origins`)
      .map((each) => objectAt(each, `${at}.Origins`))
      .find((each) => each['Id'] === originId)
    if (origin === undefined) throw new TemplateError(at, `there is no origin ${originId}`)
    const domain = stringAt(origin['DomainName'], `${at}.DomainName`)
    const bucket = resources
      .ofType('AWS::S3::Bucket')
      .find((each) => each.identity.attributes['RegionalDomainName'] === domain)
    if (bucket === undefined) throw new TemplateError(at, `local mode serves buckets of the template, not ${domain}`)
    return {
      arn: identity.attributes['Arn'] ?? '',
      domainNames: [
        identity.attributes['DomainName'] ?? '',
        ...stringsAt(config['Aliases'] ?? [], `${at}.DistributionConfig.Aliases`),
      ],
      title,
      bucketName: bucket.identity.name,
      rootObject: optional(config['DefaultRootObject'], (name) => stringAt(name, `${at}.DefaultRootObject`)),
      headers: headersOf(behavior['ResponseHeadersPolicyId'], resources, at),
    }
  })
}

function headersOf(policyId: unknown, resources: Resources, at: string): Readonly<Record<string, string>> {
  if (policyId === undefined) return {}
  const found = resources
    .ofType('AWS::CloudFront::ResponseHeadersPolicy')
    .find(({ identity }) => identity.ref === policyId)
  if (found === undefined) throw new TemplateError(at, `its response headers policy ${String(policyId)} does not exist`)
  const config = objectAt(found.properties['ResponseHeadersPolicyConfig'], found.at)
  onlyKeys(config, ['Name', 'Comment', 'SecurityHeadersConfig', 'CustomHeadersConfig'], found.at)
  const security = objectAt(config['SecurityHeadersConfig'] ?? {}, found.at)
  onlyKeys(
    security,
    ['ContentSecurityPolicy', 'ContentTypeOptions', 'FrameOptions', 'ReferrerPolicy', 'StrictTransportSecurity'],
    found.at,
  )
  const text = (part: string, field: string): string | undefined =>
    isObject(security[part]) ? stringAt(security[part][field], `${found.at}.${part}.${field}`) : undefined
  const custom = isObject(config['CustomHeadersConfig'])
    ? arrayAt(config['CustomHeadersConfig']['Items'], found.at)
    : []
  const named = {
    'content-security-policy': text('ContentSecurityPolicy', 'ContentSecurityPolicy'),
    'x-content-type-options': security['ContentTypeOptions'] === undefined ? undefined : 'nosniff',
    'x-frame-options': text('FrameOptions', 'FrameOption'),
    'referrer-policy': text('ReferrerPolicy', 'ReferrerPolicy'),
    ...Object.fromEntries(custom.map((item) => headerOf(objectAt(item, found.at), found.at))),
  }
  // `StrictTransportSecurity` means nothing without TLS.
  return Object.fromEntries(
    Object.entries(named).filter((header): header is [string, string] => header[1] !== undefined),
  )
}

function headerOf(item: JsonObject, at: string): readonly [string, string] {
  return [stringAt(item['Header'], at).toLowerCase(), stringAt(item['Value'], at)]
}

/** Their properties are the function's business: none of them is unknown. */
export function readCustomResources(resources: Resources): readonly CustomResourceSpec[] {
  return resources.custom().map(({ at, logicalId, type, properties }) => {
    const serviceToken = stringAt(properties['ServiceToken'], `${at}.ServiceToken`)
    const known = resources
      .ofType('AWS::Lambda::Function')
      .some(({ identity }) => identity.attributes['Arn'] === serviceToken)
    if (!known) throw new TemplateError(at, `its function ${serviceToken} is not in the template`)
    return { logicalId, type, functionArn: serviceToken, properties }
  })
}
