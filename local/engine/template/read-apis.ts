/** HTTP and WebSocket APIs with their stages, routes, integrations and authorizers. */
import type {
  AuthorizerSpec,
  CorsSpec,
  HttpApiSpec,
  HttpRouteSpec,
  WebSocketApiSpec,
  WebSocketRouteSpec,
} from '../contracts.ts'
import { TemplateError } from './errors.ts'
import { booleanAt, numberAt, objectAt, onlyKeys, optional, stringAt, stringsAt } from './json.ts'
import type { Resource, Resources } from './resources.ts'
import type { ApiDomainSpec } from './specs.ts'

interface Origin {
  readonly region: string
  readonly account: string
}

/** API Gateway's own limits: 29 s by default for WebSocket integrations, 30 s for HTTP; sockets idle 10 min, live 2 h. */
const HTTP_TIMEOUT_MS = 30_000
const IDLE_TIMEOUT_MS = 600_000
const MAX_DURATION_MS = 7_200_000

export function readHttpApis(resources: Resources, origin: Origin): readonly HttpApiSpec[] {
  return apis(resources, 'HTTP').map((api) => {
    const cors = optional(api.properties['CorsConfiguration'], (value) =>
      readCors(value, `${api.at}.CorsConfiguration`),
    )
    return {
      ...common(api, resources, origin),
      routes: children(resources, 'AWS::ApiGatewayV2::Route', api).map((route) => readHttpRoute(route, resources)),
      ...(cors === undefined ? {} : { cors }),
    }
  })
}

export function readWebSocketApis(resources: Resources, origin: Origin): readonly WebSocketApiSpec[] {
  return apis(resources, 'WEBSOCKET').map((api) => ({
    ...common(api, resources, origin),
    routeSelectionExpression: stringAt(
      api.properties['RouteSelectionExpression'],
      `${api.at}.RouteSelectionExpression`,
    ),
    routes: children(resources, 'AWS::ApiGatewayV2::Route', api).map((route) => readWebSocketRoute(route, resources)),
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    maxDurationMs: MAX_DURATION_MS,
  }))
}

/** Names of one's own that stages of APIs are at the root of. */
export function readApiDomains(resources: Resources): readonly ApiDomainSpec[] {
  return resources.ofType('AWS::ApiGatewayV2::ApiMapping').map(({ properties, at }) => ({
    name: stringAt(properties['DomainName'], `${at}.DomainName`),
    apiId: stringAt(properties['ApiId'], `${at}.ApiId`),
  }))
}

function apis(resources: Resources, protocol: string): readonly Resource[] {
  return resources.ofType('AWS::ApiGatewayV2::Api').filter(({ properties }) => properties['ProtocolType'] === protocol)
}

function children(resources: Resources, type: string, api: Resource): readonly Resource[] {
  return resources.ofType(type).filter(({ properties }) => properties['ApiId'] === api.identity.ref)
}

function common(api: Resource, resources: Resources, origin: Origin): Omit<HttpApiSpec, 'routes' | 'cors'> {
  const stages = children(resources, 'AWS::ApiGatewayV2::Stage', api)
  const [stage] = stages
  if (stage === undefined) throw new TemplateError(api.at, 'has no stage, so nobody could call it')
  if (stages.length > 1) throw new TemplateError(api.at, 'local mode runs one stage of an API')
  if (stage.properties['StageVariables'] !== undefined)
    throw new TemplateError(stage.at, 'local mode knows no StageVariables')
  return {
    apiId: api.identity.ref,
    name: stringAt(api.properties['Name'] ?? api.logicalId, `${api.at}.Name`),
    ...origin,
    stageName: stage.identity.ref,
  }
}

function readHttpRoute(route: Resource, resources: Resources): HttpRouteSpec {
  const { functionArn, integration } = integrationOf(route, resources)
  const version = integration.properties['PayloadFormatVersion']
  if (version !== '2.0')
    throw new TemplateError(integration.at, `expected PayloadFormatVersion 2.0, found ${String(version)}`)
  const authorizer = authorizerOf(route, resources)
  return {
    routeKey: stringAt(route.properties['RouteKey'], `${route.at}.RouteKey`),
    functionArn,
    ...(authorizer === undefined ? {} : { authorizer }),
    integrationTimeoutMs: numberAt(
      integration.properties['TimeoutInMillis'] ?? HTTP_TIMEOUT_MS,
      `${integration.at}.TimeoutInMillis`,
    ),
  }
}

function readWebSocketRoute(route: Resource, resources: Resources): WebSocketRouteSpec {
  const authorizer = authorizerOf(route, resources)
  const answered = resources
    .ofType('AWS::ApiGatewayV2::RouteResponse')
    .some(({ properties }) => properties['RouteId'] === route.identity.ref)
  return {
    routeKey: stringAt(route.properties['RouteKey'], `${route.at}.RouteKey`),
    functionArn: integrationOf(route, resources).functionArn,
    ...(authorizer === undefined ? {} : { authorizer }),
    returnsResponse: answered && route.properties['RouteResponseSelectionExpression'] !== undefined,
  }
}

function integrationOf(route: Resource, resources: Resources): { functionArn: string; integration: Resource } {
  const target = stringAt(route.properties['Target'], `${route.at}.Target`)
  const integration = resources
    .ofType('AWS::ApiGatewayV2::Integration')
    .find(({ identity }) => `integrations/${identity.ref}` === target)
  if (integration === undefined) throw new TemplateError(route.at, `its target ${target} does not exist`)
  if (integration.properties['IntegrationType'] !== 'AWS_PROXY') {
    throw new TemplateError(integration.at, `local mode knows AWS_PROXY integrations of functions only`)
  }
  const uri = stringAt(integration.properties['IntegrationUri'], `${integration.at}.IntegrationUri`)
  return { functionArn: functionOf(uri), integration }
}

function authorizerOf(route: Resource, resources: Resources): AuthorizerSpec | undefined {
  const type = route.properties['AuthorizationType'] ?? 'NONE'
  if (type === 'NONE') return undefined
  if (type !== 'CUSTOM')
    throw new TemplateError(`${route.at}.AuthorizationType`, `local mode does not know ${String(type)}`)
  const id = stringAt(route.properties['AuthorizerId'], `${route.at}.AuthorizerId`)
  const authorizer = resources.ofType('AWS::ApiGatewayV2::Authorizer').find(({ identity }) => identity.ref === id)
  if (authorizer === undefined) throw new TemplateError(route.at, `its authorizer ${id} does not exist`)
  const { properties, at } = authorizer
  if (properties['AuthorizerType'] !== 'REQUEST')
    throw new TemplateError(at, 'local mode knows REQUEST authorizers only')
  return {
    authorizerId: id,
    functionArn: functionOf(stringAt(properties['AuthorizerUri'], `${at}.AuthorizerUri`)),
    identitySources: stringsAt(properties['IdentitySource'] ?? [], `${at}.IdentitySource`),
    resultTtlSeconds: numberAt(properties['AuthorizerResultTtlInSeconds'] ?? 0, `${at}.AuthorizerResultTtlInSeconds`),
    simpleResponses:
      properties['EnableSimpleResponses'] !== undefined &&
      booleanAt(properties['EnableSimpleResponses'], `${at}.EnableSimpleResponses`),
  }
}

/** An integration names a function's ARN, or API Gateway's invocation path around it. */
function functionOf(uri: string): string {
  return /\/functions\/(arn:[^/]+)\/invocations$/.exec(uri)?.[1] ?? uri
}

function readCors(value: unknown, at: string): CorsSpec {
  const cors = objectAt(value, at)
  onlyKeys(cors, ['AllowOrigins', 'AllowMethods', 'AllowHeaders', 'ExposeHeaders', 'AllowCredentials', 'MaxAge'], at)
  const list = (name: string): readonly string[] => stringsAt(cors[name] ?? [], `${at}.${name}`)
  const maxAgeSeconds = optional(cors['MaxAge'], (age) => numberAt(age, `${at}.MaxAge`))
  return {
    allowOrigins: list('AllowOrigins'),
    allowMethods: list('AllowMethods'),
    allowHeaders: list('AllowHeaders'),
    exposeHeaders: list('ExposeHeaders'),
    allowCredentials:
      cors['AllowCredentials'] !== undefined && booleanAt(cors['AllowCredentials'], `${at}.AllowCredentials`),
    ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }),
  }
}
