import { App, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { parseSettings } from './settings.ts'
import { ConnectorStack, ControlPlaneStack, StatefulStack } from './stacks.ts'

const app = new App()
/** `-c stage=production` picks the block of that name under `holdfast` in cdk.json; single settings by `-c holdfast:NAME=…`. */
const stage: unknown = app.node.tryGetContext('stage') ?? 'dev'
const stages: Record<string, object> = app.node.tryGetContext('holdfast') ?? {}
const settings = parseSettings({ stage, ...stages[String(stage)] })

const name = (part: string) => `Holdfast-${settings.stage}-${part}`
const stateful = new StatefulStack(app, name('Stateful'), settings)
new ControlPlaneStack(app, name('ControlPlane'), { stateful, settings })
new ConnectorStack(app, name('Connector'), { stateful, settings })

Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
app.synth()
