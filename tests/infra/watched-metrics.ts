import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { buildHoldfast } from '../../infra/build.ts'
import { metricNamespace } from '../../shared/domain/metrics.ts'

const watching = [
  'AWS::CloudWatch::Alarm',
  'AWS::CloudWatch::Dashboard',
  'AWS::ApplicationAutoScaling::ScalingPolicy',
] as const

/** Names of Holdfast's own metrics that alarms, dashboards and scaling policies of the templates name. */
export function watchedMetrics(): readonly string[] {
  const app = new App({
    outdir: mkdtempSync(join(tmpdir(), 'holdfast-cdk-')),
    context: { 'aws:cdk:bundling-stacks': [] },
  })
  const stacks = buildHoldfast(app)
  const text = [stacks.stateful, stacks.controlPlane, stacks.connector]
    .map((stack) => Template.fromStack(stack))
    .flatMap((template) => watching.flatMap((type) => Object.values(template.findResources(type))))
    .map((resource) => JSON.stringify(resource).replaceAll('\\"', '"'))
    .join('\n')
  const inDashboard = text.matchAll(new RegExp(`\\["${metricNamespace}","(\\w+)"`, 'g'))
  const inAlarm = text.matchAll(new RegExp(`"MetricName":"(\\w+)","Namespace":"${metricNamespace}"`, 'g'))
  return [...new Set([...inDashboard, ...inAlarm].map(([, name]) => String(name)))].sort()
}
