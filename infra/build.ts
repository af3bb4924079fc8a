import { type App, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { Holdfast, type HoldfastProps } from './holdfast.ts'

/**
 * The app of this repository: the construct and nothing beside it, checked by cdk-nag.
 *
 * `-c stage=production` picks the block of that name under `holdfast` in cdk.json. Throws on settings that are not valid.
 */
export function buildHoldfast(app: App): Holdfast {
  const stage: unknown = app.node.tryGetContext('stage') ?? 'dev'
  const stages: Record<string, object> = app.node.tryGetContext('holdfast') ?? {}
  const settings = { stage, ...stages[String(stage)] } as HoldfastProps
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
  return new Holdfast(app, 'Holdfast', settings)
}
