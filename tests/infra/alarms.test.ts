import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import { buildHoldfast } from '../../infra/build.ts'
import { deadLetterQueueNames } from '../../shared/api/dead-letters.ts'
import { metrics } from '../../shared/domain/metrics.ts'
import { watchedMetrics } from './watched-metrics.ts'

/** As the forge makes them of headings. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')

const outdir = mkdtempSync(join(tmpdir(), 'holdfast-cdk-'))
const app = new App({ outdir, context: { 'aws:cdk:bundling-stacks': [] } })
const stacks = buildHoldfast(app)
const templates = [stacks.stateful, stacks.controlPlane, stacks.connector].map((stack) => Template.fromStack(stack))
const all = (type: string) => templates.flatMap((template) => Object.values(template.findResources(type)))
/** Without those that only drive scaling: nobody is called by them. */
const alarms = all('AWS::CloudWatch::Alarm')
  .map(({ Properties }) => Properties)
  .filter(({ AlarmName }) => AlarmName !== undefined)

test('every alarm names an entry of the runbook that is there', () => {
  const operations = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8')
  const anchors = [...operations.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(String(heading)))
  const named = alarms.map((alarm) => /docs\/operations\.md#(\S+)$/.exec(alarm.AlarmDescription)?.[1])
  expect(named.filter((anchor) => anchor === undefined || !anchors.includes(anchor))).toEqual([])
})

test('every dead-letter queue has an alarm that rings at the first message', () => {
  const ofDeadLetters = alarms.filter(({ AlarmName }) => AlarmName.includes('-dead-letters-'))
  expect(ofDeadLetters.map(({ AlarmName }) => AlarmName.replace(/^holdfast-\w+-dead-letters-/, '')).sort()).toEqual(
    [...deadLetterQueueNames].sort(),
  )
  const withoutRedrive = all('AWS::SQS::Queue').filter(({ Properties }) => Properties?.RedrivePolicy === undefined)
  expect(ofDeadLetters).toHaveLength(withoutRedrive.length)
  for (const alarm of ofDeadLetters) {
    expect(alarm).toMatchObject({
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Threshold: 0,
      ComparisonOperator: 'GreaterThanThreshold',
      TreatMissingData: 'notBreaching',
    })
  }
})

test('every dead-letter queue is looked after by the admin API, and counted by an alarm of its own', () => {
  const deadLetters = templates.flatMap((template) =>
    Object.entries(template.findResources('AWS::SQS::Queue')).flatMap(([id, { Properties }]) =>
      Properties?.RedrivePolicy === undefined ? [id] : [],
    ),
  )
  const [admin] = all('AWS::Lambda::Function').filter(
    ({ Properties }) => Properties.Environment?.Variables.SENDS_DLQ_URL !== undefined && Properties.Timeout === 29,
  )
  const given = Object.values(admin?.Properties.Environment.Variables ?? {}).map((value) => JSON.stringify(value))
  const counted = alarms.map(({ Dimensions }) => JSON.stringify(Dimensions ?? []))
  // Another stack's queue goes by the name of its export, which has the id in it.
  const among = (texts: readonly string[], id: string) => texts.filter((text) => text.includes(id)).length
  expect(deadLetters).toHaveLength(deadLetterQueueNames.length)
  expect(deadLetters.filter((id) => among(given, id) !== 1)).toEqual([])
  expect(deadLetters.filter((id) => among(counted, id) !== 1)).toEqual([])
})

test('every function is watched by an alarm on its errors', () => {
  const watched = JSON.stringify(alarms)
  const functions = templates.flatMap((template) => Object.keys(template.findResources('AWS::Lambda::Function')))
  expect(functions.length).toBeGreaterThan(10)
  expect(functions.filter((id) => !watched.includes(`{"Ref":"${id}"}`))).toEqual([])
})

test('alarms, dashboard and scaling read metrics of the catalogue only', () => {
  const watched = watchedMetrics()
  expect(watched.length).toBeGreaterThan(15)
  expect(watched.filter((name) => !(name in metrics))).toEqual([])
})
