import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import { ShopStack } from '../../docs/examples/construct/app.ts'
import { ScheduledSendStack } from '../../docs/examples/scheduled-send/app.ts'
import { queuedSendSchema } from '../../shared/api/messages.ts'

test('the example of a scheduled send posts what the sends queue takes, and may do nothing else', () => {
  const stack = new ScheduledSendStack(new App(), 'Example', {
    holdfastStage: 'dev',
    businessProfileId: 'bp_1',
    connectionId: 'con_1',
    to: '+94714515253',
    text: 'Good morning!',
  })
  const template = Template.fromStack(stack)
  template.hasParameter('*', { Default: '/holdfast/dev/sends-queue-arn' })
  const [schedule = { Properties: {} }, ...more] = Object.values(template.findResources('AWS::Scheduler::Schedule'))
  expect(more).toEqual([])
  const { Target: target } = schedule.Properties
  const posted = target.Input.replace('<aws.scheduler.scheduled-time>', '2026-01-31T08:00:00Z')
  expect(queuedSendSchema.parse(JSON.parse(posted))).toMatchObject({ version: 1, type: 'text', connectionId: 'con_1' })
  const [policy] = Object.values(template.findResources('AWS::IAM::Policy'))
  expect(policy?.Properties.PolicyDocument.Statement).toEqual([
    { Action: 'sqs:SendMessage', Effect: 'Allow', Resource: target.Arn },
  ])
})

test('the example with Holdfast in it posts what the sends queue takes, from a rule and from a function that may do nothing else', () => {
  const app = new App({
    outdir: mkdtempSync(join(tmpdir(), 'holdfast-cdk-')),
    context: { 'aws:cdk:bundling-stacks': [] },
  })
  const template = Template.fromStack(new ShopStack(app, 'Shop'))
  const inputs = Object.values(template.findResources('AWS::Events::Rule')).flatMap(({ Properties }) =>
    Properties.Targets.flatMap(({ Input }: { readonly Input?: string }) => (Input === undefined ? [] : [Input])),
  )
  expect(inputs.map((input) => queuedSendSchema.parse(JSON.parse(input)).type)).toEqual(['text'])
  const granted = Object.values(template.findResources('AWS::IAM::Policy')).flatMap(
    ({ Properties }) => Properties.PolicyDocument.Statement,
  )
  expect(granted).toMatchObject([{ Action: 'sqs:SendMessage', Effect: 'Allow' }])
  expect(granted[0].Resource).toHaveLength(2)
})
