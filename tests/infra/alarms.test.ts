import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import { buildHoldfast } from '../../infra/build.ts'
import { deadLetterQueueNames } from '../../shared/api/dead-letters.ts'

/** As the forge makes them of headings. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')

test('every dead-letter queue has an alarm that rings at the first message, with a runbook that is there', () => {
  const outdir = mkdtempSync(join(tmpdir(), 'holdfast-cdk-'))
  const app = new App({ outdir, context: { 'aws:cdk:bundling-stacks': [] } })
  const stacks = buildHoldfast(app)
  const templates = [stacks.stateful, stacks.controlPlane, stacks.connector].map((stack) => Template.fromStack(stack))
  const all = (type: string) => templates.flatMap((template) => Object.values(template.findResources(type)))

  const alarms = all('AWS::CloudWatch::Alarm').map(({ Properties }) => Properties)
  expect(alarms.map(({ AlarmName }) => AlarmName.replace(/^holdfast-\w+-dead-letters-/, '')).sort()).toEqual(
    [...deadLetterQueueNames].sort(),
  )
  const withoutRedrive = all('AWS::SQS::Queue').filter(({ Properties }) => Properties?.RedrivePolicy === undefined)
  expect(alarms).toHaveLength(withoutRedrive.length)

  const operations = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8')
  const anchors = [...operations.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(String(heading)))
  for (const alarm of alarms) {
    expect(alarm).toMatchObject({
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Threshold: 0,
      ComparisonOperator: 'GreaterThanThreshold',
      TreatMissingData: 'notBreaching',
    })
    expect(anchors).toContain(/docs\/operations\.md#(\S+)$/.exec(alarm.AlarmDescription)?.[1])
  }
})
