/** Functions, who may invoke them, and the event source mappings that feed them. */
import type { Assembly } from './assembly.ts'
import { TemplateError } from './errors.ts'
import {
  arrayAt,
  booleanAt,
  isObject,
  type JsonObject,
  numberAt,
  objectAt,
  onlyKeys,
  optional,
  stringAt,
  stringsAt,
} from './json.ts'
import type { Resources } from './resources.ts'
import type { FunctionSpec, MappingSpec, PermissionSpec } from './specs.ts'

export function readFunctions(resources: Resources, assembly: Pick<Assembly, 'files'>): readonly FunctionSpec[] {
  return resources.ofType('AWS::Lambda::Function').map(({ identity, properties, title, at }) => {
    if (properties['PackageType'] !== undefined && properties['PackageType'] !== 'Zip') {
      throw new TemplateError(at, 'local mode runs functions from bundled assets, not from images')
    }
    const runtime = stringAt(properties['Runtime'], `${at}.Runtime`)
    if (!runtime.startsWith('nodejs'))
      throw new TemplateError(`${at}.Runtime`, `local mode runs Node.js, not ${runtime}`)
    const environment = objectAt(properties['Environment'] ?? {}, `${at}.Environment`)
    const variables = objectAt(environment['Variables'] ?? {}, `${at}.Environment.Variables`)
    const concurrency = optional(properties['ReservedConcurrentExecutions'], (value) => numberAt(value, at))
    return {
      arn: identity.attributes['Arn'] ?? '',
      name: identity.ref,
      title,
      directory: codeDirectory(properties['Code'], assembly, `${at}.Code`),
      handler: stringAt(properties['Handler'], `${at}.Handler`),
      environment: Object.fromEntries(
        Object.entries(variables).map(([name, value]) => [name, stringAt(value, `${at}.Environment.${name}`)]),
      ),
      timeoutMs: numberAt(properties['Timeout'] ?? 3, `${at}.Timeout`) * 1000,
      memoryMb: numberAt(properties['MemorySize'] ?? 128, `${at}.MemorySize`),
      ...(concurrency === undefined ? {} : { concurrency }),
      roleArn: stringAt(properties['Role'], `${at}.Role`),
    }
  })
}

function codeDirectory(value: unknown, assembly: Pick<Assembly, 'files'>, at: string): string {
  const code = objectAt(value, at)
  onlyKeys(code, ['S3Bucket', 'S3Key'], at)
  const key = stringAt(code['S3Key'], `${at}.S3Key`)
  const directory = assembly.files.get(key)
  if (directory === undefined) throw new TemplateError(at, `there is no asset ${key} in the assembly`)
  return directory
}

/** A function is named by its ARN or by its name. */
function functionArn(reference: string, resources: Resources, at: string): string {
  const found = resources
    .ofType('AWS::Lambda::Function')
    .find(({ identity }) => identity.ref === reference || identity.attributes['Arn'] === reference)
  const arn = found?.identity.attributes['Arn']
  if (arn === undefined)
    throw new TemplateError(at, `refers to the function ${reference}, which the template does not have`)
  return arn
}

export function readPermissions(resources: Resources): readonly PermissionSpec[] {
  return resources.ofType('AWS::Lambda::Permission').flatMap(({ properties, at }) => {
    if (properties['Action'] !== 'lambda:InvokeFunction') return []
    const sourceArn = optional(properties['SourceArn'], (value) => stringAt(value, `${at}.SourceArn`))
    return [
      {
        functionArn: functionArn(stringAt(properties['FunctionName'], `${at}.FunctionName`), resources, at),
        service: stringAt(properties['Principal'], `${at}.Principal`),
        ...(sourceArn === undefined ? {} : { sourceArn }),
      },
    ]
  })
}

export function readMappings(resources: Resources): readonly MappingSpec[] {
  return resources.ofType('AWS::Lambda::EventSourceMapping').flatMap(({ properties, at, logicalId }) => {
    if (properties['Enabled'] !== undefined && !booleanAt(properties['Enabled'], `${at}.Enabled`)) return []
    const number = (name: string, byDefault: number): number =>
      properties[name] === undefined ? byDefault : numberAt(properties[name], `${at}.${name}`)
    const responses = stringsAt(properties['FunctionResponseTypes'] ?? [], `${at}.FunctionResponseTypes`)
    const position = properties['StartingPosition']
    if (position !== undefined && position !== 'TRIM_HORIZON' && position !== 'LATEST') {
      throw new TemplateError(`${at}.StartingPosition`, `local mode does not know ${String(position)}`)
    }
    const mapping: MappingSpec = {
      mappingId: logicalId,
      functionArn: functionArn(stringAt(properties['FunctionName'], `${at}.FunctionName`), resources, at),
      eventSourceArn: stringAt(properties['EventSourceArn'], `${at}.EventSourceArn`),
      batchSize: optional(properties['BatchSize'], (value) => numberAt(value, `${at}.BatchSize`)),
      maxBatchingWindowSeconds: number('MaximumBatchingWindowInSeconds', 0),
      reportBatchItemFailures: responses.includes('ReportBatchItemFailures'),
      filters: filters(properties['FilterCriteria'], `${at}.FilterCriteria`),
      maxConcurrency: optional(properties['ScalingConfig'], (value) =>
        numberAt(objectAt(value, at)['MaximumConcurrency'], `${at}.ScalingConfig.MaximumConcurrency`),
      ),
      startingPosition: position,
      maximumRetryAttempts: number('MaximumRetryAttempts', -1),
      maximumRecordAgeSeconds: number('MaximumRecordAgeInSeconds', -1),
      bisectBatchOnFunctionError:
        properties['BisectBatchOnFunctionError'] !== undefined &&
        booleanAt(properties['BisectBatchOnFunctionError'], `${at}.BisectBatchOnFunctionError`),
      parallelizationFactor: number('ParallelizationFactor', 1),
      onFailureArn: onFailure(properties, at),
    }
    return [mapping]
  })
}

function onFailure(properties: JsonObject, at: string): string | undefined {
  const destinations = properties['DestinationConfig']
  const failure = isObject(destinations) ? destinations['OnFailure'] : undefined
  return isObject(failure)
    ? stringAt(failure['Destination'], `${at}.DestinationConfig.OnFailure.Destination`)
    : undefined
}

function filters(value: unknown, at: string): readonly JsonObject[] {
  if (value === undefined) return []
  return arrayAt(objectAt(value, at)['Filters'], `${at}.Filters`).map((entry) => {
    const pattern: unknown = JSON.parse(stringAt(objectAt(entry, at)['Pattern'], `${at}.Pattern`))
    return objectAt(pattern, `${at}.Pattern`)
  })
}
