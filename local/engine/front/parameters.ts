/** SSM Parameter Store. A parameter that somebody put stays so until local mode ends; the template's value is back after that. */
import type { ParameterSpec } from '../template/specs.ts'
import { jsonAnswer } from './answers.ts'
import { type FrontService, type Protocol, ServiceError } from './call.ts'
import { parse, text } from './dynamodb.ts'

const PROTOCOL: Protocol = { kind: 'json', version: '1.1', accessDenied: 'AccessDeniedException', deniedStatus: 400 }

export interface ParameterStore {
  get(nameOrArn: string): { readonly spec: ParameterSpec; readonly value: string; readonly version: number } | undefined
  put(name: string, value: string): number | undefined
}

export function createParameterStore(parameters: readonly ParameterSpec[]): ParameterStore {
  const values = new Map(parameters.map((spec) => [spec.name, { spec, value: spec.value, version: 1 }]))
  return {
    get: (id) => [...values.values()].find(({ spec }) => spec.name === id || spec.arn === id),
    put(name, value) {
      const known = values.get(name)
      if (known === undefined) return undefined
      values.set(name, { spec: known.spec, value, version: known.version + 1 })
      return known.version + 1
    },
  }
}

export function parametersService(store: ParameterStore, region: string, account: string): FrontService {
  const arnOf = (name: string): string =>
    store.get(name)?.spec.arn ?? `arn:aws:ssm:${region}:${account}:parameter${name.startsWith('/') ? '' : '/'}${name}`
  const describe = (name: string): object | undefined => {
    const found = store.get(name)
    if (found === undefined) return undefined
    const { spec, value, version } = found
    return { Name: spec.name, Type: spec.type, Value: value, Version: version, ARN: spec.arn, DataType: 'text' }
  }
  const names = (call: Parameters<FrontService['handle']>[0]): readonly string[] => {
    const input = parse(call)
    const list = input['Names']
    return call.operation === 'GetParameters' && Array.isArray(list) ? list.map(String) : [text(input, 'Name')]
  }
  return {
    protocol: PROTOCOL,
    demands(call) {
      if (!['GetParameter', 'GetParameters', 'PutParameter'].includes(call.operation)) {
        throw new ServiceError('UnknownOperationException', `Local mode does not know ssm:${call.operation}`)
      }
      return names(call).map((name) => ({ action: `ssm:${call.operation}`, resource: arnOf(name), context: {} }))
    },
    async handle(call) {
      const wanted = names(call)
      if (call.operation === 'GetParameters') {
        const found = wanted.map(describe)
        return jsonAnswer(PROTOCOL, {
          Parameters: found.filter((parameter) => parameter !== undefined),
          InvalidParameters: wanted.filter((_, index) => found[index] === undefined),
        })
      }
      const name = wanted[0] ?? ''
      if (call.operation === 'PutParameter') {
        const version = store.put(name, text(parse(call), 'Value'))
        if (version === undefined)
          throw new ServiceError('ValidationException', `The template has no parameter ${name}`)
        return jsonAnswer(PROTOCOL, { Version: version, Tier: 'Standard' })
      }
      const parameter = describe(name)
      if (parameter === undefined) throw new ServiceError('ParameterNotFound', `Parameter ${name} not found.`)
      return jsonAnswer(PROTOCOL, { Parameter: parameter })
    },
  }
}
