/** EventBridge rules with their targets. */
import type { EventRuleSpec, RuleTargetSpec } from '../contracts.ts'
import { TemplateError } from './errors.ts'
import { arrayAt, objectAt, onlyKeys, optional, stringAt } from './json.ts'
import type { Resources } from './resources.ts'

export function readRules(resources: Resources): readonly EventRuleSpec[] {
  return resources.ofType('AWS::Events::Rule').map(({ identity, properties, at }) => {
    const pattern = optional(properties['EventPattern'], (value) => objectAt(value, `${at}.EventPattern`))
    const schedule = optional(properties['ScheduleExpression'], (value) => stringAt(value, `${at}.ScheduleExpression`))
    if (pattern === undefined && schedule === undefined)
      throw new TemplateError(at, 'expected an EventPattern or a ScheduleExpression')
    const bus = stringAt(properties['EventBusName'] ?? 'default', `${at}.EventBusName`)
    return {
      ruleArn: identity.attributes['Arn'] ?? '',
      ruleName: identity.name,
      busName: bus.replace(/^arn:.*:event-bus\//, ''),
      enabled: (properties['State'] ?? 'ENABLED') !== 'DISABLED',
      ...(pattern === undefined ? {} : { pattern }),
      ...(schedule === undefined ? {} : { schedule }),
      targets: arrayAt(properties['Targets'] ?? [], `${at}.Targets`).map((target, index) =>
        readTarget(target, resources, `${at}.Targets[${index}]`),
      ),
    }
  })
}

function readTarget(value: unknown, resources: Resources, at: string): RuleTargetSpec {
  const target = objectAt(value, at)
  onlyKeys(target, ['Arn', 'Id', 'Input', 'SqsParameters', 'RetryPolicy', 'DeadLetterConfig'], at)
  const arn = stringAt(target['Arn'], `${at}.Arn`)
  const input = optional(target['Input'], (text) => stringAt(text, `${at}.Input`))
  const withInput = input === undefined ? {} : { input }
  if (arn.split(':')[2] === 'lambda') return { kind: 'function', functionArn: arn, ...withInput }
  const queue = resources.ofType('AWS::SQS::Queue').find(({ identity }) => identity.attributes['Arn'] === arn)
  if (queue === undefined) throw new TemplateError(at, `local mode does not know a target such as ${arn}`)
  const parameters = objectAt(target['SqsParameters'] ?? {}, `${at}.SqsParameters`)
  const messageGroupId = optional(parameters['MessageGroupId'], (group) => stringAt(group, at))
  const withGroup = messageGroupId === undefined ? {} : { messageGroupId }
  return { kind: 'queue', queueUrl: queue.identity.ref, queueArn: arn, ...withGroup, ...withInput }
}
