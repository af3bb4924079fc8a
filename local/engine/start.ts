/**
 * Starts the synthesized template: queues, tables, buckets, parameters and secrets, APIs, functions, mappings, events,
 * containers, in that order; stops them in the reverse. What was started when a later phase fails is stopped again.
 */
import { join } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { consoleExtras } from './console-extras.ts'
import { createSecretReader } from './containers/container-secrets.ts'
import { buildImages, type ContainerHost, startContainers } from './containers/host.ts'
import type { Credentials, EngineLog, Invoker, PrincipalClientConfig, Running } from './contracts.ts'
import { createControl } from './control.ts'
import { createCustomResources } from './custom-resources.ts'
import { type RunningDistribution, startDistribution } from './distribution.ts'
import { createRingLog } from './engine-log.ts'
import type { PutEventsEntry } from './events/entries.ts'
import { type Events, startEvents } from './events/start-events.ts'
import { startDynamoDbLocal } from './front/dynamodb-local.ts'
import { createServiceFaults } from './front/faults.ts'
import { createFront } from './front/front.ts'
import { findJava } from './front/java.ts'
import { createParameterStore } from './front/parameters.ts'
import { openS3Store } from './front/s3-store.ts'
import { openSecretStore } from './front/secrets.ts'
import { type Emulators, frontServices } from './front/services.ts'
import { startQueues } from './front/sqs.ts'
import { createTables } from './front/tables.ts'
import { createInvocations } from './functions/invocations.ts'
import { createFunctionHost, type FunctionHost } from './functions/invoker.ts'
import { type ExtraRoute, type Gateway, startGateway } from './gateway/start-gateway.ts'
import { hostEnvironment } from './host-environment.ts'
import { createAccess } from './iam/access.ts'
import { createLedger } from './iam/ledger.ts'
import { createPrincipals, type Principal } from './iam/principals.ts'
import { assertFree, listen } from './listener.ts'
import { localizer } from './local-urls.ts'
import { mappingSpec } from './mapping-specs.ts'
import { openFileCheckpoints } from './mappings/checkpoints.ts'
import { startQueueMapping } from './mappings/queue-mapping.ts'
import { startStreamMapping } from './mappings/stream-mapping.ts'
import { collectMetrics, type EmittedMetrics } from './metrics.ts'
import { observeLines } from './observed.ts'
import type { Local, LocalOptions } from './options.ts'
import { forgetState, keepPort, kmsSecret, readPort } from './state-folder.ts'
import { lockState } from './state-lock.ts'
import { synthesize } from './synth.ts'
import { readAssembly } from './template/assembly.ts'
import { TemplateError } from './template/errors.ts'
import { readModel } from './template/model.ts'
import type { DistributionSpec, FunctionSpec, Model } from './template/specs.ts'
import { startWhatsAppSimulator, type WhatsAppProcess } from './whatsapp-process.ts'

/** What was started, and how it is stopped again. */
interface Started {
  readonly part: string
  readonly stop: () => void | Promise<void>
}

export async function startLocal(options: LocalOptions): Promise<Local> {
  const { log: collected, metrics } = collectMetrics(createRingLog(options.print ?? (() => undefined)))
  const log = observeLines(collected, options.observe)
  const undo: Started[] = []
  const unwind = async (): Promise<void> => {
    let first: unknown
    for (const { part, stop } of undo.splice(0).reverse()) {
      // The last of these lines says what a stop that takes long is waiting for.
      log.info('local mode', `stopping: ${part}`)
      try {
        await stop()
      } catch (error) {
        first ??= error
      }
    }
    if (first !== undefined) throw first
  }
  try {
    return await start(options, log, metrics, undo, unwind)
  } catch (error) {
    await unwind().catch(() => undefined)
    throw error
  }
}

async function start(
  options: LocalOptions,
  log: ReturnType<typeof createRingLog>,
  metrics: EmittedMetrics,
  undo: Started[],
  unwind: () => Promise<void>,
): Promise<Local> {
  const { root, stateDir } = options
  const cacheDir = options.cacheDir ?? join(root, '.holdfast')
  const progress = options.progress ?? (() => undefined)
  const until = <T extends Running>(part: string, running: T): T => {
    undo.push({ part, stop: () => running.stop() })
    return running
  }

  const lock = lockState(stateDir)
  undo.push({ part: 'state folder', stop: () => lock.release() })
  await assertFree(options.port)
  if (options.fresh) forgetState(stateDir)
  const java = findJava(hostEnvironment().javaHome)

  // The emulator needs a second or two and nothing of the template.
  const dynamoStarting = startDynamoDbLocal({ java, directory: join(stateDir, 'dynamodb'), log })
  undo.push({
    part: 'DynamoDB Local',
    stop: () =>
      dynamoStarting.then(
        (dynamo) => dynamo.stop(),
        () => undefined,
      ),
  })
  dynamoStarting.catch(() => undefined)

  const assemblyDir = options.assemblyDir ?? (await synthesized(options, cacheDir, log, progress))
  const assembly = readAssembly(assemblyDir)
  const stacks = options.template?.(structuredClone(assembly.stacks)) ?? assembly.stacks

  const listener = until('front', await listen(readPort(stateDir)))
  keepPort(stateDir, listener.port)
  const secrets = openSecretStore(join(stateDir, 'secrets.json'))
  const model = readModel(
    { ...assembly, stacks },
    { endpoint: listener.url, secretString: (secret) => secrets.read(secret) },
  )
  for (const secret of model.secrets) secrets.read(secret)
  progress(`template read: ${describe(model)}`)

  const crash = Promise.withResolvers<{ readonly part: string; readonly why: string }>()
  const watch = (part: string, crashed: Promise<string>): void =>
    void crashed.then((why) => crash.resolve({ part, why }))

  const [whatsapp, images, dynamo, queues] = await together([
    startWhatsApp(options, stateDir, log, undo),
    buildImages(model, assembly, cacheDir, log, progress),
    dynamoStarting,
    startQueues(model.queues, model.region).then((running) => until('queues', running)),
  ])
  watch('DynamoDB Local', dynamo.crashed)
  if (whatsapp !== undefined) watch('simulated WhatsApp server', whatsapp.crashed)
  progress(
    whatsapp === undefined
      ? 'emulators run, images are built'
      : 'emulators and simulated WhatsApp server run, images are built',
  )

  const principals = createPrincipals()
  const rootCredentials = principals.register({ kind: 'root', title: 'root' })
  const ledger = createLedger()
  const access = createAccess({ model, ledger, enforce: options.iam, log })
  const streams = await makeTables(model, dynamo.port, rootCredentials)
  const parameters = createParameterStore(model.parameters)

  let containers: ContainerHost | undefined
  const parts: { gateway?: Gateway; events?: Events } = {}
  const emulators: Emulators = {
    dynamoPort: dynamo.port,
    queues: queues.upstream,
    objects: openS3Store(
      join(stateDir, 's3'),
      model.buckets.map(({ name }) => name),
    ),
    secrets,
    parameters,
    kmsSecret: kmsSecret(stateDir),
    putEvents: (entries) => parts.events?.putEvents('default', entries as readonly PutEventsEntry[]),
    managed: () =>
      model.webSocketApis.flatMap(({ apiId }) =>
        parts.gateway === undefined ? [] : [{ apiId, ...parts.gateway.management(apiId) }],
      ),
    tellCapacity: options.observe !== undefined,
    ecs: {
      tasks: () => containers?.tasks() ?? [],
      protect: (taskArn, enabled) => containers?.protect(taskArn, enabled),
      desiredCount: (name) => containers?.desiredCount(name) ?? 0,
    },
  }
  const faults = createServiceFaults()
  const front = createFront({
    services: frontServices(model, emulators),
    principals,
    access,
    faults,
    observe: options.observe,
    log,
  })
  const control = createControl({ containers: () => containers, ledger, log, metrics, model: () => model })
  const customResources = createCustomResources(listener.url)
  listener.serve((request, response) => {
    if (request.url?.startsWith(customResources.prefix) === true) customResources.handle(request, response)
    else if (request.url?.startsWith('/_local/') === true) control(request, response)
    else if (front.handles(request)) void front.handle(request, response)
    else
      response
        .writeHead(403, { 'content-type': 'text/plain' })
        .end('This endpoint is for AWS SDK clients: the request has no signature.\n')
  })

  const roleCredentials = (roleArn: string | undefined, title: string, service: string): Credentials => {
    const role = model.roles.find(({ arn }) => arn === roleArn)
    if (role === undefined) throw new TemplateError(title, `its role ${roleArn} does not exist`)
    if (!role.services.includes(service))
      throw new TemplateError(title, `its role ${role.name} may not be assumed by ${service}`)
    return principals.register({ kind: 'role', title, role })
  }
  const functionCredentials = (spec: FunctionSpec): Credentials =>
    roleCredentials(spec.roleArn, `function ${spec.title}`, 'lambda.amazonaws.com')
  const client = (credentials: Credentials): PrincipalClientConfig => ({
    region: model.region,
    endpoint: listener.url,
    credentials,
  })

  let host: FunctionHost | undefined
  const invocations = createInvocations()
  const invoker: Invoker = {
    async invoke(functionArn, event, source) {
      if (host === undefined)
        return { kind: 'error', errorType: 'ServiceException', errorMessage: 'local mode is starting', timedOut: false }
      const result = await host.invoke(functionArn, event, source)
      invocations.record(functionArn, event, source, result)
      const title = model.functions.find(({ arn }) => arn === functionArn)?.title ?? functionArn
      options.observe?.({ kind: 'invocation', functionTitle: title, source })
      return result
    },
  }
  const gateway = until(
    'APIs',
    await startGateway({
      httpApis: model.httpApis,
      webSocketApis: model.webSocketApis,
      invoker,
      port: options.port,
      host: '127.0.0.1',
      log,
      extraRoutes: [{ prefix: '/_local', handle: control }],
    }),
  )
  parts.gateway = gateway
  const extras = consoleExtras(whatsapp?.controlUrl)
  const distributions = await startDistributions(model, options, extras, log, (spec) =>
    client(
      principals.register({
        kind: 'service',
        title: `distribution ${spec.title}`,
        service: 'cloudfront.amazonaws.com',
        sourceArn: spec.arn,
      }),
    ),
  )
  for (const { running } of distributions) until('console', running)
  const localize = localizer(
    [
      ...model.httpApis.map(({ apiId, stageName }) => ({
        apiId,
        httpBase: withoutStage(gateway.httpUrl(apiId), stageName),
      })),
      ...model.webSocketApis.map(({ apiId, stageName }) => ({
        apiId,
        httpBase: `${listener.url}/${apiId}`,
        socketBase: withoutStage(gateway.liveUrl(apiId), stageName),
      })),
    ],
    model.region,
    new Map([
      ...distributions.flatMap(({ spec, running }) =>
        spec.domainNames.map((name) => [`https://${name}`, running.url] as const),
      ),
      ...model.apiDomains.map(({ name, apiId }) => {
        const socket = model.webSocketApis.find((api) => api.apiId === apiId)
        if (socket !== undefined) return [`wss://${name}`, gateway.liveUrl(apiId)] as const
        return [`https://${name}`, gateway.httpUrl(apiId).replace(/\/$/, '')] as const
      }),
      ...model.buckets.map(({ name }) => [`https://${name}.s3.${model.region}.amazonaws.com`, listener.url] as const),
    ]),
  )
  for (const { running } of distributions) running.localize(localize)
  host = until(
    'functions',
    createFunctionHost({
      functions: model.functions,
      permissions: model.permissions,
      region: model.region,
      endpoint: listener.url,
      credentialsFor: functionCredentials,
      localize,
      everywhere: options.targets === undefined ? {} : { WEBHOOK_TARGETS: options.targets },
      overrides: options.environmentOverrides?.functions ?? {},
      log,
    }),
  )
  await customResources.create(model.customResources, invoker, localize)
  progress('APIs and functions are ready')

  parts.events = until(
    'events',
    startEvents({
      rules: model.rules,
      invoker,
      clientFor: (_, rule) => {
        const principal: Principal = {
          kind: 'service',
          title: `rule ${rule.ruleName}`,
          service: 'events.amazonaws.com',
          sourceArn: rule.ruleArn,
        }
        return client(principals.register(principal))
      },
      origin: { account: model.account, region: model.region },
      log,
    }),
  )
  const { events } = parts
  const checkpoints = until('checkpoints', await openFileCheckpoints(join(stateDir, 'checkpoints.json')))
  await together(
    model.mappings.map(async (mapping) => {
      const spec = mappingSpec(mapping, model, streams, (each) => client(functionCredentials(each)))
      until(
        `mapping of ${spec.functionArn}`,
        spec.kind === 'queue'
          ? await startQueueMapping(spec, invoker, log)
          : await startStreamMapping(spec, { invoker, checkpoints, log }),
      )
    }),
  )
  progress('event source mappings poll')

  const output = (name: string): string => {
    const [, value] = Object.entries(model.outputs).find(([key]) => key.endsWith(name)) ?? []
    if (value === undefined) throw new TemplateError('Outputs', `the template has no output ${name}`)
    return localize(value)
  }
  const adminSecret = model.secrets.find(({ arn }) => arn === output('AdminApiKeySecretArn'))
  if (adminSecret === undefined)
    throw new TemplateError('Outputs', 'AdminApiKeySecretArn is not a secret of the template')
  const httpUrl = output('HttpApiUrl').replace(/\/$/, '')
  const adminApiKey = secrets.read(adminSecret)
  const alongside = options.alongside?.({ httpUrl, adminApiKey })
  alongside?.catch(() => undefined)

  containers = until(
    'containers',
    startContainers({
      model,
      images,
      endpoint: listener.url,
      metadataUrl: `${listener.url}/_local/metadata`,
      credentialsFor: (role, title) => roleCredentials(role?.arn, title, 'ecs-tasks.amazonaws.com'),
      secrets: createSecretReader(model, secrets, parameters, access),
      localize,
      overrides: containerOverrides(model, options, whatsapp),
      workers: options.workers,
      emit: (event) => events.emit(event),
      log,
    }),
  )
  await Promise.race([
    Promise.all([alongside, ...containers.services.map((service) => service.started())]),
    crash.promise.then(({ part, why }) => {
      throw new Error(`${part} ended while local mode was starting: ${why}`)
    }),
  ])
  progress('workers run')

  return {
    httpUrl,
    liveUrl: output('LiveApiUrl'),
    consoleUrl: distributions[0]?.running.url,
    tellConsole: (given) => extras.tell(given),
    sendsQueueUrl: output('SendsQueueUrl'),
    sendsFifoQueueUrl: output('SendsFifoQueueUrl'),
    adminApiKey,
    simulatorUrl: whatsapp?.controlUrl,
    controlUrl: `${listener.url}/_local`,
    region: model.region,
    endpoint: listener.url,
    // SDK clients leave marks on the object that they are given.
    rootCredentials: { accessKeyId: rootCredentials.accessKeyId, secretAccessKey: rootCredentials.secretAccessKey },
    outputs: Object.fromEntries(Object.entries(model.outputs).map(([name, value]) => [name, localize(value)])),
    log,
    calls: () => ({
      counts: ledger.counts(),
      recent: ledger.recent(),
      allowed: ledger.allowed(),
      invocations: invocations.list(),
      failures: invocations.failures(),
    }),
    onCall: (listener) => ledger.listen(listener),
    logs: (part) => log.lines(part),
    metrics: () => metrics.list(),
    killFunctions: async (title) => (await host?.kill(title)) ?? 0,
    injectFault: (fault) => faults.inject(fault),
    crashed: crash.promise,
    stop: unwind,
  }
}

/** Each on a port of its own, counted up from the one above the APIs'. */
async function startDistributions(
  model: Model,
  options: LocalOptions,
  extras: ExtraRoute,
  log: EngineLog,
  clientOf: (spec: DistributionSpec) => PrincipalClientConfig,
) {
  const first = options.consolePort ?? (options.port === 0 ? 0 : options.port + 1)
  const running: { readonly spec: DistributionSpec; readonly running: RunningDistribution }[] = []
  for (const [index, spec] of model.distributions.entries()) {
    const port = first === 0 ? 0 : first + index
    await assertFree(port)
    const distribution = await startDistribution({ spec, port, client: clientOf(spec), log, extraRoutes: [extras] })
    running.push({ spec, running: distribution })
  }
  return running
}

/** As `Promise.all`, but also after a failure only once all have settled: what did start must be known when it is undone. */
async function together<T extends readonly unknown[]>(
  starting: readonly [...T],
): Promise<{ -readonly [Index in keyof T]: Awaited<T[Index]> }> {
  await Promise.allSettled(starting)
  return Promise.all(starting)
}

async function synthesized(
  { root, settings }: LocalOptions,
  cacheDir: string,
  log: Parameters<typeof synthesize>[2],
  progress: (message: string) => void,
): Promise<string> {
  const { directory, cached } = await synthesize(root, join(cacheDir, 'assemblies'), log, settings, () =>
    progress('synthesizing the template and bundling its functions'),
  )
  progress(cached ? 'template is as it was' : 'template synthesized')
  return directory
}

async function startWhatsApp(
  options: LocalOptions,
  stateDir: string,
  log: Parameters<typeof synthesize>[2],
  undo: Started[],
): Promise<WhatsAppProcess | undefined> {
  if (options.whatsapp.kind !== 'simulated') return undefined
  const simulator = await startWhatsAppSimulator(
    join(options.root, 'local/whatsapp/main.ts'),
    join(stateDir, 'whatsapp'),
    log,
  )
  undo.push({ part: 'simulated WhatsApp server', stop: () => simulator.stop() })
  return simulator
}

/** The one thing that local mode replaces: which WhatsApp server the containers talk to. */
function containerOverrides(
  model: Model,
  options: LocalOptions,
  simulator: WhatsAppProcess | undefined,
): Readonly<Record<string, Readonly<Record<string, string>>>> {
  const server = simulator ?? (options.whatsapp.kind === 'server' ? options.whatsapp : undefined)
  const whatsapp: Readonly<Record<string, string>> =
    server === undefined
      ? {}
      : { WHATSAPP_URL: server.url, ...(server.rootKey === undefined ? {} : { WHATSAPP_ROOT_KEY: server.rootKey }) }
  const names = model.services.flatMap(({ taskDefinition }) => taskDefinition.containers.map(({ name }) => name))
  return Object.fromEntries(
    names.map((name) => [name, { ...whatsapp, ...options.environmentOverrides?.containers?.[name] }]),
  )
}

async function makeTables(model: Model, port: number, credentials: Credentials): Promise<ReadonlyMap<string, string>> {
  const client = new DynamoDBClient({ region: model.region, endpoint: `http://127.0.0.1:${port}`, credentials })
  try {
    return await createTables(model.tables, client)
  } finally {
    client.destroy()
  }
}

function withoutStage(url: string, stageName: string): string {
  return url.endsWith(`/${stageName}`) ? url.slice(0, -stageName.length - 1) : url
}

function describe(model: Model): string {
  const counts: readonly (readonly [number, string])[] = [
    [model.tables.length, 'tables'],
    [model.queues.length, 'queues'],
    [model.functions.length, 'functions'],
    [model.mappings.length, 'mappings'],
    [model.rules.length, 'rules'],
  ]
  return counts.map(([count, what]) => `${count} ${what}`).join(', ')
}
