import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App, CfnOutput, Stack, Tags } from 'aws-cdk-lib'
import { Match, Template } from 'aws-cdk-lib/assertions'
import { Vpc } from 'aws-cdk-lib/aws-ec2'
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { describe, expect, it } from 'vitest'
import { Holdfast } from '../../infra/holdfast.ts'
import { settingNames } from '../../infra/settings.ts'

it('every setting is documented', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/construct.md'), 'utf8')
  const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  const told = rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name))
  expect(settingNames.length).toBeGreaterThan(15)
  expect(settingNames.filter((name) => !told.includes(name))).toEqual([])
})

describe('in a stack of somebody else', () => {
  const app = () =>
    new App({
      outdir: mkdtempSync(join(tmpdir(), 'holdfast-cdk-')),
      context: { 'aws:cdk:bundling-stacks': [] },
    })

  it('runs in their VPC, tells their topic, stands in their account and region, and may be tagged', () => {
    const theirs = app()
    const env = { account: '111122223333', region: 'eu-west-1' }
    const base = new Stack(theirs, 'Base', { env })
    const vpc = new Vpc(base, 'Vpc', { availabilityZones: ['eu-west-1a', 'eu-west-1b'] })
    const alarmTopic = new Topic(base, 'Topic')
    const mine = new Stack(theirs, 'Mine', { env })
    const whatsapp = new Holdfast(mine, 'WhatsApp', { stage: 'mine', vpc, alarmTopic })
    new CfnOutput(mine, 'Url', { value: whatsapp.httpApiUrl })
    Tags.of(whatsapp).add('team', 'tea')
    theirs.synth()

    expect(whatsapp.connector.region).toBe('eu-west-1')
    expect(whatsapp.stateful.terminationProtection).toBe(true)
    const connector = Template.fromStack(whatsapp.connector)
    connector.resourceCountIs('AWS::EC2::VPC', 0)
    connector.hasResourceProperties('AWS::ECS::Service', {
      NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp: 'DISABLED' } },
      Tags: Match.arrayWith([{ Key: 'team', Value: 'tea' }]),
    })
    const alarms = Object.values(Template.fromStack(whatsapp.controlPlane).findResources('AWS::CloudWatch::Alarm'))
    expect(alarms.length).toBeGreaterThan(5)
    for (const { Properties } of alarms) expect(JSON.stringify(Properties.AlarmActions)).toContain('Base:')
  })

  it('takes their VPC from the stack that reads its addresses', () => {
    const theirs = app()
    const mine = new Stack(theirs, 'Mine')
    const whatsapp = new Holdfast(mine, 'WhatsApp', { vpc: new Vpc(mine, 'Vpc') })
    new CfnOutput(mine, 'Url', { value: whatsapp.httpApiUrl })
    whatsapp.grantSend(new Role(mine, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') }))
    expect(() => theirs.synth()).not.toThrow()
  })

  it('hears of alarms by one way', () => {
    const mine = new Stack(app(), 'Mine')
    const props = { alarmTopic: new Topic(mine, 'Topic'), alarmEmail: 'ops@example.com' }
    expect(() => new Holdfast(mine, 'WhatsApp', props)).toThrow(/alarmTopic/)
  })
})
