import { type App, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { parseSettings, type Settings } from './settings.ts'
import { ConnectorStack, ControlPlaneStack, StatefulStack } from './stacks.ts'

export interface Holdfast {
  readonly settings: Settings
  readonly stateful: StatefulStack
  readonly controlPlane: ControlPlaneStack
  readonly connector: ConnectorStack
}

/** `-c stage=production` picks the block of that name under `holdfast` in cdk.json. Throws on settings that are not valid. */
export function buildHoldfast(app: App): Holdfast {
  const stage: unknown = app.node.tryGetContext('stage') ?? 'dev'
  const stages: Record<string, object> = app.node.tryGetContext('holdfast') ?? {}
  const settings = parseSettings({ stage, ...stages[String(stage)] })

  const name = (part: string) => `Holdfast-${settings.stage}-${part}`
  const stateful = new StatefulStack(app, name('Stateful'), settings)
  const controlPlane = new ControlPlaneStack(app, name('ControlPlane'), { stateful, settings })
  const connector = new ConnectorStack(app, name('Connector'), { stateful, settings })
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
  return { settings, stateful, controlPlane, connector }
}
