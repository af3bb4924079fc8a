/** What the counts and the bill rest on, read from the template and the code: nothing of it is written down a second time. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App, Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import type { CfnFunction } from 'aws-cdk-lib/aws-lambda'
import { journalDefaults } from '../../connector/auth/journal.ts'
import { readConfig } from '../../connector/config.ts'
import { defaultOwnershipSettings } from '../../connector/fleet/ownership.ts'
import { Handler } from '../../infra/function.ts'
import { Holdfast } from '../../infra/holdfast.ts'
import { networkOf } from '../../infra/network.ts'
import { targetShare } from '../../infra/scaling.ts'
import { parseSettings, type Settings } from '../../infra/settings.ts'
import { tables } from '../../shared/aws/tables.ts'
import { type Metric, metrics } from '../../shared/domain/metrics.ts'

/** What decides how often the product asks AWS for something. Other settings, other counts. */
export interface CountedSettings {
  readonly lookMs: number
  readonly renewMs: number
  readonly refreshMs: number
  readonly doorbellWaitSeconds: number
  readonly metricsMs: number
  readonly compactEntries: number
  /** Of a table: its indexes and whether its changes are streamed. */
  readonly tables: Readonly<Record<string, string>>
  /** By the function's title, what invokes it but API Gateway. */
  readonly mappings: number
}

/** What stands in the template, whether it is used or not. */
export interface Standing {
  readonly settings: Settings
  readonly targetShare: number
  /** MiB, by the function's title. */
  readonly memory: Readonly<Record<string, number>>
  readonly alarmMetrics: number
  readonly dashboards: number
  readonly keys: number
  readonly secrets: number
  /** Queues that Lambda polls. */
  readonly polled: { readonly fifo: number; readonly standard: number }
  readonly flowLogs: number
  /** Of the setting `network: private`. */
  readonly private: {
    readonly natGateways: number
    /** One in each zone counts by itself. */
    readonly endpoints: number
  }
  readonly ownMetrics: { readonly names: number; readonly withDimension: number }
}

// biome-ignore lint/suspicious/noExplicitAny: CloudFormation properties are whatever the resource says
type Resource = any

/** The stage `production` of cdk.json. */
export function settingsNow(): { readonly counted: CountedSettings; readonly standing: Standing } {
  const production = synthesized()
  const inPrivate = privateNetwork()
  const all = (type: string): Resource[] => production.resources.filter(({ Type }) => Type === type)
  const mappings = all('AWS::Lambda::EventSourceMapping').map(({ Properties }) => Properties)
  const polled = mappings.filter(({ StartingPosition }) => StartingPosition === undefined)
  const isFifo = ({ EventSourceArn }: Resource): boolean =>
    /fifo|WebhooksDoorbells/i.test(JSON.stringify(EventSourceArn))
  const config = connectorDefaults()
  return {
    counted: {
      lookMs: defaultOwnershipSettings.lookMs,
      renewMs: config.RENEW_MS,
      refreshMs: config.REFRESH_MS,
      doorbellWaitSeconds: config.DOORBELL_WAIT_SECONDS,
      metricsMs: config.METRICS_MS,
      compactEntries: journalDefaults.compactEntries,
      tables: Object.fromEntries(
        Object.entries(tables).map(([name, { indexes, stream }]) => [
          name,
          [...indexes.map(({ name, keysOnly }) => (keysOnly ? `${name} (keys)` : name)), stream ?? 'no stream'].join(
            ', ',
          ),
        ]),
      ),
      mappings: mappings.length,
    },
    standing: {
      settings: production.settings,
      targetShare,
      memory: production.memory,
      alarmMetrics: all('AWS::CloudWatch::Alarm').reduce((sum, { Properties }) => sum + metricsOf(Properties), 0),
      dashboards: all('AWS::CloudWatch::Dashboard').length,
      keys: all('AWS::KMS::Key').length,
      secrets: all('AWS::SecretsManager::Secret').length,
      polled: { fifo: polled.filter(isFifo).length, standard: polled.filter((each) => !isFifo(each)).length },
      flowLogs: all('AWS::EC2::FlowLog').length,
      private: {
        natGateways: inPrivate.filter(({ Type }) => Type === 'AWS::EC2::NatGateway').length,
        endpoints: inPrivate
          .filter(
            ({ Type, Properties }) => Type === 'AWS::EC2::VPCEndpoint' && Properties.VpcEndpointType === 'Interface',
          )
          .reduce((sum, { Properties }) => sum + Properties.SubnetIds.length, 0),
      },
      ownMetrics: {
        names: Object.keys(metrics).length,
        withDimension: Object.values(metrics).filter((metric: Metric) => metric.dimension !== undefined).length,
      },
    },
  }
}

const metricsOf = ({ Metrics = [{ MetricStat: {} }] }: Resource): number =>
  Metrics.filter(({ MetricStat }: Resource) => MetricStat !== undefined).length

function privateNetwork(): readonly Resource[] {
  const stack = new Stack()
  networkOf(stack, parseSettings({ network: 'private' }))
  return Object.values(Template.fromStack(stack).toJSON()['Resources'])
}

function synthesized() {
  const cdkJson = JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8'))
  const app = new App({
    outdir: mkdtempSync(join(tmpdir(), 'holdfast-cost-')),
    context: { ...cdkJson.context, 'aws:cdk:bundling-stacks': [] },
  })
  const made = new Holdfast(app, 'Holdfast', { stage: 'production', ...cdkJson.context.holdfast.production })
  const { settings, stateful, controlPlane, connector } = made
  const assembly = app.synth()
  const resources: Resource[] = [stateful, controlPlane, connector].flatMap(({ artifactId }) =>
    Object.values(assembly.getStackArtifact(artifactId).template.Resources),
  )
  const handlers = made.node.findAll().filter((node) => node instanceof Handler)
  const memory = handlers.map((handler) => {
    // As local mode calls it, which reads the template.
    const title = handler.node.path.slice(Stack.of(handler).node.path.length + 1).replaceAll('/', '')
    return [title, (handler.node.defaultChild as CfnFunction).memorySize ?? 128] as const
  })
  return {
    settings,
    resources,
    memory: Object.fromEntries(memory),
  }
}

/** Its defaults; what the template must give says nothing here. */
function connectorDefaults() {
  const names = [
    'STAGE',
    'AWS_REGION',
    'CONNECTIONS_TABLE',
    'MESSAGES_TABLE',
    'FLEET_TABLE',
    'AUTH_TABLE',
    'AUTH_BUCKET',
  ]
  const given = Object.fromEntries([...names, 'MEDIA_TABLE', 'MEDIA_BUCKET'].map((name) => [name, 'x']))
  const urls = Object.fromEntries(['PARTITION_QUEUE_PREFIX', 'DOORBELL_DLQ_URL'].map((name) => [name, 'https://x']))
  const numbers = ['PARTITION_COUNT', 'MESSAGE_RETENTION_DAYS', 'MEDIA_RETENTION_DAYS', 'MAX_CONNECTIONS']
  return readConfig({ ...given, ...urls, ...Object.fromEntries(numbers.map((name) => [name, '1'])) })
}
