import { describe, expect, it } from 'vitest'
import { evaluate, type Scope } from '../../../local/engine/template/intrinsics.ts'

const scope: Scope = {
  ref: (name) => ({ Queue: 'https://queue', 'AWS::Region': 'us-east-1', 'AWS::AccountId': '1234' })[name],
  getAtt: (logicalId, attribute) => `${logicalId}#${attribute}`,
  importValue: (name) => `imported ${name}`,
  mapping: (name) => (name === 'Sizes' ? { small: { cpu: 256 } } : undefined),
  condition: (name) =>
    ({
      Yes: { 'Fn::Equals': ['a', 'a'] },
      No: { 'Fn::Not': [{ Condition: 'Yes' }] },
      Both: { 'Fn::And': [{ Condition: 'Yes' }, { Condition: 'No' }] },
      Any: { 'Fn::Or': [{ Condition: 'Yes' }, { Condition: 'No' }] },
    })[name],
  availabilityZones: (region) => [`${region}a`, `${region}b`],
  dynamicReference: (reference) => `<${reference}>`,
}

describe('an intrinsic evaluates to what CloudFormation makes of it', () => {
  it.each<[string, unknown, unknown]>([
    ['Ref of a resource', { Ref: 'Queue' }, 'https://queue'],
    ['Ref of a pseudo parameter', { Ref: 'AWS::Region' }, 'us-east-1'],
    ['Ref AWS::NoValue in an object', { a: { Ref: 'AWS::NoValue' }, b: 1 }, { b: 1 }],
    ['Ref AWS::NoValue in a list', [1, { Ref: 'AWS::NoValue' }], [1]],
    ['GetAtt as a list', { 'Fn::GetAtt': ['Queue', 'Arn'] }, 'Queue#Arn'],
    ['GetAtt as text', { 'Fn::GetAtt': 'Queue.Arn' }, 'Queue#Arn'],
    ['GetAtt of a nested attribute', { 'Fn::GetAtt': ['Db', 'Endpoint.Port'] }, 'Db#Endpoint.Port'],
    ['Join', { 'Fn::Join': ['-', ['a', { Ref: 'AWS::AccountId' }, 3]] }, 'a-1234-3'],
    ['Select', { 'Fn::Select': ['1', ['a', 'b']] }, 'b'],
    ['Select of Split', { 'Fn::Select': [2, { 'Fn::Split': [':', 'a:b:c'] }] }, 'c'],
    [
      'Sub with names and attributes',
      { 'Fn::Sub': '${AWS::Region}/${Queue}/${Queue.Arn}' },
      'us-east-1/https://queue/Queue#Arn',
    ],
    [
      'Sub with its own variables',
      { 'Fn::Sub': ['${X}-${AWS::Region}', { X: { Ref: 'Queue' } }] },
      'https://queue-us-east-1',
    ],
    ['Sub with a literal', { 'Fn::Sub': '${!Literal}' }, '${Literal}'],
    ['ImportValue', { 'Fn::ImportValue': 'Stack:Export' }, 'imported Stack:Export'],
    ['FindInMap', { 'Fn::FindInMap': ['Sizes', 'small', 'cpu'] }, 256],
    ['If, true', { 'Fn::If': ['Yes', 1, 2] }, 1],
    ['If, by Not', { 'Fn::If': ['No', 1, 2] }, 2],
    ['If, by And', { 'Fn::If': ['Both', 1, 2] }, 2],
    ['If, by Or', { 'Fn::If': ['Any', 1, 2] }, 1],
    ['If with no value', { a: { 'Fn::If': ['No', 1, { Ref: 'AWS::NoValue' }] } }, {}],
    ['Base64', { 'Fn::Base64': 'hi' }, 'aGk='],
    ['GetAZs of the own region', { 'Fn::GetAZs': '' }, ['us-east-1a', 'us-east-1b']],
    ['Cidr', { 'Fn::Select': [1, { 'Fn::Cidr': ['10.0.0.0/16', 2, '8'] }] }, '10.0.1.0/24'],
    ['Length', { 'Fn::Length': ['a', 'b'] }, 2],
    ['ToJsonString', { 'Fn::ToJsonString': { a: { Ref: 'Queue' } } }, '{"a":"https://queue"}'],
    ['a dynamic reference', '{{resolve:ssm:/x}}!', '<ssm:/x>!'],
    ['a policy condition is no intrinsic', { Condition: { Bool: {} } }, { Condition: { Bool: {} } }],
  ])('%s', (_, node, expected) => {
    expect(evaluate(node, scope, 'here')).toEqual(expected)
  })
})

describe('what cannot be evaluated is an error that names the place', () => {
  it.each<[string, unknown, RegExp]>([
    ['an unknown intrinsic', { a: { 'Fn::Transform': {} } }, /here\.a: .*Fn::Transform/],
    ['a reference to nothing', { Ref: 'Nobody' }, /Nobody/],
    ['an unknown condition', { 'Fn::If': ['Nope', 1, 2] }, /there is no condition Nope/],
    ['a missing mapping', { 'Fn::FindInMap': ['Sizes', 'large', 'cpu'] }, /Sizes \/ large \/ cpu/],
    ['a Join of an object', { 'Fn::Join': ['', [{ a: 1 }]] }, /expected a string/],
  ])('%s', (_, node, message) => {
    expect(() => evaluate(node, scope, 'here')).toThrow(message)
  })
})
