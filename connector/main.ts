/** The connector process: reads its environment, puts a worker together, and ends with a word why. */
import { randomBytes } from 'node:crypto'
import './memory/buffer-pool.ts'
import { fetchLatestWaWebVersion } from '@whiskeysockets/baileys'
import { authStates } from './auth/auth-states.ts'
import { type Config, ConfigError, clientVersionOf, readConfig } from './config.ts'
import { threadedRenewal } from './fleet/threaded-renewal.ts'
import { healthAddress } from './health-address.ts'
import { captureConsole, createLog } from './log.ts'
import { InboundMedia } from './media/inbound.ts'
import { OutboundMedia } from './media/outbound.ts'
import { Previews } from './media/previews/previews.ts'
import { Transfers } from './media/transfers.ts'
import { giveMemoryBack } from './memory/giving-back.ts'
import { alarmCountingLog, measuredAuthStore, measuredDoorbells } from './metrics/measured.ts'
import { MetricsRecorder } from './metrics/recorder.ts'
import { reportMetrics } from './metrics/report.ts'
import type { Log } from './ports.ts'
import { processClock as clock, processRandom as random } from './process-clock.ts'
import { createLoginGate } from './session/login-gate.ts'
import { createSessionFactory } from './session/session.ts'
import { defaultLoginGateSettings, defaultSessionSettings } from './session/settings.ts'
import { SegmentBuffer, xRay } from './tracing/x-ray.ts'
import { baileysWhatsApp } from './whatsapp/baileys.ts'
import { newIdentity } from './whatsapp/identity.ts'
import type { SocketMedia } from './whatsapp/socket.ts'
import { UncaughtPolicy } from './worker/attribution.ts'
import { type Connector, createConnector } from './worker/connector.ts'
import { exitCodes } from './worker/shutdown.ts'
import { openStores, type Stores } from './worker/stores.ts'
import { taskIdentity } from './worker/task-identity.ts'

const configErrorExitCode = 78
const dayMs = 86_400_000
const lastTracesMs = 2_000

function environment(): Config {
  try {
    return readConfig()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(configErrorExitCode)
  }
}

async function assemble(config: Config, log: Log, recorder: MetricsRecorder): Promise<Connector> {
  const identity = await taskIdentity(config.ECS_CONTAINER_METADATA_URI_V4, config.DEPLOYMENT, random, log)
  const opened = openStores(config, () => connector.leaseValid)
  const stores = {
    ...opened,
    auth: measuredAuthStore(opened.auth, recorder, clock.monotonic),
    doorbells: measuredDoorbells(opened.doorbells, recorder, clock.now),
  }
  const terms = { leaseMs: config.LEASE_MS, marginMs: config.LEASE_MARGIN_MS, renewMs: config.RENEW_MS }
  const clientVersion = clientVersionOf(config)
  const sessionLog = log.child({ workerId: identity.workerId })
  const whatsapp = baileysWhatsApp({
    clock,
    log: sessionLog,
    settings: {
      deviceName: config.WHATSAPP_DEVICE_NAME,
      sendTimeoutMs: config.SEND_TIMEOUT_MS,
      ...(config.QR_TTL_MS === undefined ? {} : { qrTtlMs: config.QR_TTL_MS }),
      ...(config.WHATSAPP_URL === undefined ? {} : { url: config.WHATSAPP_URL }),
      ...(config.WHATSAPP_ROOT_KEY === undefined ? {} : { rootKey: config.WHATSAPP_ROOT_KEY }),
    },
    sentContent: async (ref, whatsappId) => (await stores.messages.getByWhatsappId(ref, whatsappId))?.content,
    messages: stores.messageLookup,
    media: media(config, stores, sessionLog),
  })
  const traces = await tracesOf(config, sessionLog)
  const createSession = createSessionFactory({
    clock,
    random,
    log: sessionLog,
    whatsapp,
    authStates: authStates({ store: stores.auth, clock, random, log: sessionLog, newIdentity }),
    connections: stores.connections,
    messages: stores.messages,
    operations: stores.operations,
    logins: createLoginGate({
      clock,
      random,
      log: sessionLog,
      settings: {
        ...defaultLoginGateSettings,
        concurrency: config.LOGIN_CONCURRENCY,
        ratePerSecond: config.LOGIN_RATE,
        reachIntervalMs: config.REACH_INTERVAL_MS,
        scoutGapMs: config.WAKE_GAP_MS,
        provenAfterMs: config.PROVEN_AFTER_MS,
      },
      reachable: whatsapp.reachable,
    }),
    workerId: identity.workerId,
    ...(traces === undefined ? {} : { traces }),
    settings: {
      ...defaultSessionSettings,
      backoffBaseMs: config.BACKOFF_BASE_MS,
      backoffAttemptsMax: config.BACKOFF_ATTEMPTS_MAX,
      backoffJitter: config.BACKOFF_JITTER,
      stableAfterMs: config.STABLE_AFTER_MS,
      slowLaneMs: config.SLOW_LANE_MS,
      wakeGapMs: config.WAKE_GAP_MS,
      openTimeoutMs: config.OPEN_TIMEOUT_MS,
      quarantineMs: config.QUARANTINE_MS,
      ackTimeoutMs: config.ACK_TIMEOUT_MS,
      probeIntervalMs: config.PROBE_INTERVAL_MS,
      probeTimeoutMs: config.PROBE_TIMEOUT_MS,
      sendTimeoutMs: config.SEND_TIMEOUT_MS,
      inFlightMax: config.IN_FLIGHT_MAX,
      inboundKeptMs: config.MESSAGE_RETENTION_DAYS * dayMs,
      ...(clientVersion === undefined ? {} : { clientVersion }),
    },
    // Another server than WhatsApp's own is not asked for by WhatsApp's newest version.
    ...(config.WHATSAPP_URL === undefined ? { fetchClientVersion } : {}),
  })
  const connector: Connector = createConnector({
    clock,
    log: sessionLog,
    identity,
    stores,
    createSession,
    recorder,
    startRenewal: (load) =>
      threadedRenewal({
        workerId: identity.workerId,
        terms,
        load,
        storeModule: new URL('./fleet/renewal-store.ts', import.meta.url),
        storeSettings: { tableName: config.FLEET_TABLE, region: config.AWS_REGION },
      }),
    settings: {
      terms,
      partitionCount: config.PARTITION_COUNT,
      maxConnections: config.MAX_CONNECTIONS,
      stopTimeoutMs: config.STOP_TIMEOUT_MS,
      handoverRate: config.HANDOVER_RATE,
      worker: {
        doorbellWaitSeconds: config.DOORBELL_WAIT_SECONDS,
        refreshMs: config.REFRESH_MS,
        drainMs: config.DRAIN_MS,
      },
    },
    exit(code) {
      // Only who ends in order still tells; whoever lost its lease goes at once.
      if (traces === undefined || code !== exitCodes.stopped) process.exit(code)
      const told = Promise.race([traces.flush(), new Promise((resolve) => setTimeout(resolve, lastTracesMs))])
      void told.finally(() => process.exit(code))
    },
  })
  return connector
}

function metricsOf(config: Config): MetricsRecorder {
  return new MetricsRecorder(config.STAGE, clock.now, random.next, (line) => process.stdout.write(`${line}\n`))
}

async function tracesOf(config: Config, log: Log): Promise<SegmentBuffer | undefined> {
  if (config.TRACING === 'off') return undefined
  const newId = () => randomBytes(8).toString('hex')
  return new SegmentBuffer({ clock, log, stage: config.STAGE, newId, put: await xRay(config.AWS_REGION) })
}

function media(config: Config, { media: store, mediaObjects: objects }: Stores, log: Log): SocketMedia {
  const keptMs = config.MEDIA_RETENTION_DAYS * dayMs
  const shared = { clock, log, store, objects, keptMs, transfers: new Transfers(config.MEDIA_TRANSFERS) }
  return {
    outbound: new OutboundMedia({ ...shared, previews: new Previews(clock, log), linkTargets: config.LINK_TARGETS }),
    inbound: new InboundMedia(shared),
  }
}

async function fetchClientVersion(): Promise<readonly [number, number, number] | undefined> {
  const { version, isLatest } = await fetchLatestWaWebVersion({ signal: AbortSignal.timeout(10_000) })
  return isLatest ? version : undefined
}

/** Without a platform nobody asks, and several workers on one machine may have the same address. */
async function listenForHealth(connector: Connector, config: Config, log: Log): Promise<void> {
  try {
    await connector.health.listen(healthAddress(config))
  } catch (error) {
    if (config.ECS_CONTAINER_METADATA_URI_V4 !== undefined) throw error
    log.warn({ err: error }, 'Health checks are not answered')
  }
}

async function main(): Promise<void> {
  const config = environment()
  const recorder = metricsOf(config)
  const log = alarmCountingLog(createLog(config.LOG_LEVEL), recorder)
  captureConsole(log)

  let connector: Connector | undefined
  const fatal = (error: unknown) => {
    if (connector !== undefined) {
      connector.shutdown.fail('an unforeseen step', error)
      return
    }
    log.error({ err: error }, 'The connector could not start')
    process.exit(exitCodes.failed)
  }
  const policy = new UncaughtPolicy(() => clock.monotonic(), fatal)
  process.on('uncaughtException', (error) => policy.uncaught(error))
  process.on('unhandledRejection', (reason) => policy.uncaught(reason))
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (connector === undefined) process.exit(exitCodes.stopped)
      connector.shutdown.signal(signal)
    })
  }

  try {
    connector = await assemble(config, log, recorder)
    await listenForHealth(connector, config, log)
    const { workerId, figures } = connector
    giveMemoryBack(clock, log)
    process.once('exit', reportMetrics(clock, recorder, config.METRICS_MS, figures))
    await connector.start()
    log.info(
      { workerId, partitions: config.PARTITION_COUNT, maxConnections: config.MAX_CONNECTIONS },
      'Connector started',
    )
  } catch (error) {
    fatal(error)
  }
}

await main()
