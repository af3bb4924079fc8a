import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { Match, Template } from 'aws-cdk-lib/assertions'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildHoldfast } from '../../infra/build.ts'
import { readAssembly } from '../../local/engine/template/assembly.ts'
import { readModel } from '../../local/engine/template/model.ts'
import type { Model } from '../../local/engine/template/specs.ts'

const { context } = JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8'))
const certificate = (region: string) =>
  `arn:aws:acm:${region}:123456789012:certificate/00000000-0000-0000-0000-000000000001`

const settings = {
  domains: {
    httpApi: { name: 'api.example.com', certificateArn: certificate('eu-west-1') },
    liveApi: { name: 'live.example.com', certificateArn: certificate('eu-west-1') },
    console: { name: 'holdfast.example.com', certificateArn: certificate('us-east-1') },
    hostedZone: { id: 'Z0123456789', name: 'example.com' },
  },
  signIn: {
    issuer: 'https://login.example.com/realms/shop',
    clientId: 'console',
    origins: ['https://token.example.com'],
    roleClaim: 'groups',
    roles: { staff: ['connections:read'], ops: ['admin'] },
  },
}

/** Throws where the default rules or cdk-nag find something. */
function synthesize(more: object) {
  const outdir = mkdtempSync(join(tmpdir(), 'holdfast-cdk-'))
  const holdfast = { ...context.holdfast, dev: { ...context.holdfast.dev, ...more } }
  const app = new App({ outdir, context: { ...context, holdfast, 'aws:cdk:bundling-stacks': [] } })
  const { controlPlane } = buildHoldfast(app)
  app.synth()
  return { template: Template.fromStack(controlPlane), outdir }
}

describe('a stage with names of its own and a sign-in provider', () => {
  let template: Template
  let model: Model
  // biome-ignore lint/suspicious/noExplicitAny: CloudFormation properties are whatever the resource says
  let config: any
  // biome-ignore lint/suspicious/noExplicitAny: the same
  const properties = (type: string): any[] =>
    Object.values(template.findResources(type)).map((resource) => resource['Properties'])
  const functions = () => properties('AWS::Lambda::Function')

  beforeAll(() => {
    const made = synthesize(settings)
    template = made.template
    model = readModel(readAssembly(made.outdir), { endpoint: 'http://127.0.0.1:1', secretString: () => 'unused' })
    ;[config] = properties('Custom::HoldfastConsole').map((deployment) => deployment.Config)
  })

  it('puts each API’s stage at the root of its name, with TLS 1.2', () => {
    template.resourceCountIs('AWS::ApiGatewayV2::ApiMapping', 2)
    for (const { name, certificateArn } of [settings.domains.httpApi, settings.domains.liveApi]) {
      template.hasResourceProperties('AWS::ApiGatewayV2::DomainName', {
        DomainName: name,
        DomainNameConfigurations: [
          { CertificateArn: certificateArn, EndpointType: 'REGIONAL', SecurityPolicy: 'TLS_1_2' },
        ],
      })
    }
    for (const mapping of properties('AWS::ApiGatewayV2::ApiMapping')) expect(mapping.ApiMappingKey).toBeUndefined()
  })

  it('serves the console under its name, with TLS 1.2', () => {
    template.hasResourceProperties('AWS::CloudFront::Distribution', {
      DistributionConfig: {
        Aliases: ['holdfast.example.com'],
        ViewerCertificate: Match.objectLike({
          AcmCertificateArn: settings.domains.console.certificateArn,
          MinimumProtocolVersion: 'TLSv1.2_2021',
        }),
      },
    })
  })

  it('has records for IPv4 and IPv6 of each name, in its zone', () => {
    const records = properties('AWS::Route53::RecordSet')
    const names = Object.values(settings.domains).flatMap(({ name }) => (name === 'example.com' ? [] : [`${name}.`]))
    expect(records.map(({ Name, Type }) => `${Type} ${Name}`).sort()).toEqual(
      names.flatMap((name) => [`A ${name}`, `AAAA ${name}`]).sort(),
    )
    for (const record of records) expect(record.HostedZoneId).toBe(settings.domains.hostedZone.id)
  })

  it('names them to callers, in tickets and to the console, which calls nothing else', () => {
    const values = Object.values(template.findOutputs('*')).map(({ Value }) => Value)
    const addresses = ['https://api.example.com/', 'wss://live.example.com', 'https://holdfast.example.com']
    expect(values).toEqual(expect.arrayContaining(addresses))
    const parameters = properties('AWS::SSM::Parameter').map(({ Value }) => Value)
    expect(parameters).toEqual(expect.arrayContaining(addresses))
    const live = functions().map(({ Environment }) => Environment?.Variables?.LIVE_URL)
    expect(live.filter(Boolean)).toEqual(['wss://live.example.com'])
    expect(config).toMatchObject({ httpUrl: 'https://api.example.com', liveUrl: 'wss://live.example.com' })
    const policy = JSON.stringify(properties('AWS::CloudFront::ResponseHeadersPolicy'))
    expect(policy).toContain("connect-src 'self' https://api.example.com wss://live.example.com https://")
    expect(policy).toContain(' https://login.example.com https://token.example.com;')
  })

  it('posts to sockets at the API’s own address, which has the management calls', () => {
    const callbacks = functions().flatMap(({ Environment }) => Environment?.Variables?.LIVE_CALLBACK_URL ?? [])
    expect(callbacks.length).toBeGreaterThan(0)
    for (const callback of callbacks) expect(JSON.stringify(callback)).toContain('.execute-api.')
  })

  it('tells the authorizer whose tokens count and what roles may do, and the console only where to go', () => {
    const told = functions().flatMap(({ Environment }) => Environment?.Variables?.SIGN_IN ?? [])
    expect(told.map((text) => JSON.parse(text))).toEqual([
      {
        issuer: settings.signIn.issuer,
        audience: 'console',
        businessProfileClaim: 'business_profile_id',
        roleClaim: 'groups',
        roles: settings.signIn.roles,
        everyone: [],
      },
    ])
    expect(config.signIn).toEqual({
      issuer: settings.signIn.issuer,
      clientId: 'console',
      token: 'access',
      scope: 'openid profile email',
      parameters: {},
    })
  })

  it('lets browsers send tokens', () => {
    const [cors] = properties('AWS::ApiGatewayV2::Api').flatMap(({ CorsConfiguration }) => CorsConfiguration ?? [])
    expect(cors.AllowHeaders).toContain('authorization')
  })

  it('is run by local mode, which reaches the names on this machine', () => {
    const live = model.webSocketApis.map(({ apiId }) => apiId)
    const rest = model.httpApis.map(({ apiId }) => apiId)
    expect(model.apiDomains).toHaveLength(2)
    expect(model.apiDomains).toEqual(
      expect.arrayContaining([
        { name: 'api.example.com', apiId: rest[0] },
        { name: 'live.example.com', apiId: live[0] },
      ]),
    )
    expect(model.distributions[0]?.domainNames).toContain('holdfast.example.com')
  })
})

it('a stage without either has neither', () => {
  const { template } = synthesize({})
  for (const type of ['ApiGatewayV2::DomainName', 'ApiGatewayV2::ApiMapping', 'Route53::RecordSet']) {
    template.resourceCountIs(`AWS::${type}`, 0)
  }
  const text = JSON.stringify(template.toJSON())
  for (const word of ['SIGN_IN', 'signIn', '"authorization"']) expect(text).not.toContain(word)
})
