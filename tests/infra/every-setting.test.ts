import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { Match, Template } from 'aws-cdk-lib/assertions'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildHoldfast } from '../../infra/build.ts'
import { readAssembly } from '../../local/engine/template/assembly.ts'
import { readModel } from '../../local/engine/template/model.ts'
import { type Resources, readResources } from '../../local/engine/template/resources.ts'
import type { Model } from '../../local/engine/template/specs.ts'

const { context } = JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8'))
const certificate = (region: string) =>
  `arn:aws:acm:${region}:123456789012:certificate/00000000-0000-0000-0000-000000000001`

/** The longest name of a stage, in the region with the longest name: names count in policies. */
const stage = 'a-stage-16-chars'
const region = 'ap-southeast-1'
const settings = {
  partitions: 128,
  workers: 100,
  network: 'private',
  alarmEmail: 'somebody@example.com',
  domains: {
    httpApi: { name: 'api.example.com', certificateArn: certificate(region) },
    liveApi: { name: 'live.example.com', certificateArn: certificate(region) },
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

interface Policy {
  readonly PolicyDocument: object
  readonly Roles?: readonly string[]
}

// biome-ignore lint/suspicious/noExplicitAny: CloudFormation properties are whatever the resource says
type Json = any

describe('a stage with everything that may be set, at its most', () => {
  const templates = new Map<string, Template>()
  let template: Template
  let model: Model
  let resources: Resources
  let config: Json
  const properties = (type: string): Json[] =>
    Object.values(template.findResources(type)).map((resource) => resource['Properties'])
  const functions = () => properties('AWS::Lambda::Function')

  // Throws where the default rules or cdk-nag find something.
  beforeAll(() => {
    const outdir = mkdtempSync(join(tmpdir(), 'holdfast-cdk-'))
    const app = new App({
      outdir,
      context: { ...context, stage, holdfast: { [stage]: settings }, 'aws:cdk:bundling-stacks': [] },
    })
    const { stateful, controlPlane, connector } = buildHoldfast(app)
    app.synth()
    template = Template.fromStack(controlPlane)
    templates.set('stateful', Template.fromStack(stateful))
    templates.set('control plane', template)
    templates.set('connector', Template.fromStack(connector))
    const assembly = readAssembly(outdir)
    model = readModel(assembly, { endpoint: 'http://127.0.0.1:1', secretString: () => 'unused' })
    const place = { region, account: '123456789012', endpoint: 'http://127.0.0.1:1' }
    resources = readResources(assembly, place, (_, id) => id)
    ;[config] = properties('Custom::HoldfastConsole').map((deployment) => deployment.Config)
  })

  it.each(['stateful', 'control plane', 'connector'])('has a template that CloudFormation takes: %s', (name) => {
    const json: Json = templates.get(name)?.toJSON()
    const count = (part: string) => Object.keys(json[part] ?? {}).length
    expect(count('Resources')).toBeGreaterThan(10)
    expect(count('Resources')).toBeLessThanOrEqual(500)
    expect(count('Outputs')).toBeLessThanOrEqual(200)
    expect(count('Parameters')).toBeLessThanOrEqual(200)
    expect(count('Mappings')).toBeLessThanOrEqual(200)
    expect(JSON.stringify(json).length).toBeLessThanOrEqual(1_000_000)
  })

  it('has roles that IAM takes', () => {
    const inline = new Map<string, number>()
    const managed = new Map<string, number>()
    const policies = (type: string) => resources.ofType(type).map((each) => each.properties as unknown as Policy)
    for (const { PolicyDocument, Roles = [] } of policies('AWS::IAM::Policy')) {
      const size = JSON.stringify(PolicyDocument).length
      for (const role of Roles) inline.set(role, (inline.get(role) ?? 0) + size)
    }
    for (const { PolicyDocument, Roles = [] } of policies('AWS::IAM::ManagedPolicy')) {
      expect(JSON.stringify(PolicyDocument).length).toBeLessThanOrEqual(6_144)
      for (const role of Roles) managed.set(role, (managed.get(role) ?? 0) + 1)
    }
    expect(inline.size).toBeGreaterThan(20)
    expect([...inline].filter(([, size]) => size > 10_240)).toEqual([])
    expect([...managed].filter(([, count]) => count > 10)).toEqual([])
  })

  it('has functions whose environment Lambda takes', () => {
    const sizes = resources
      .ofType('AWS::Lambda::Function')
      .map(({ at, properties: { Environment } }) => [at, JSON.stringify(Environment ?? {}).length] as const)
    expect(sizes.length).toBeGreaterThan(20)
    expect(sizes.filter(([, size]) => size > 4_096)).toEqual([])
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
