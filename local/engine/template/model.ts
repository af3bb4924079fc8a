/** The whole template as specs: what `startLocal` starts. Pure, except that secrets are looked up as they are referred to. */
import type { Assembly } from './assembly.ts'
import { TemplateError } from './errors.ts'
import { readApiDomains, readHttpApis, readWebSocketApis } from './read-apis.ts'
import { readBuckets, readKeys, readParameters, readQueues, readSecrets, readTables } from './read-data.ts'
import { readCustomResources, readDistributions } from './read-distributions.ts'
import { readFunctions, readMappings, readPermissions } from './read-functions.ts'
import { readResourcePolicies, readRoles } from './read-policies.ts'
import { readRules } from './read-rules.ts'
import { readServices } from './read-services.ts'
import { type DynamicValues, readResources } from './resources.ts'
import type { Model, SecretSpec } from './specs.ts'

export interface ModelOptions {
  readonly endpoint: string
  /** The plain text of a secret; made and kept when it is asked for first. */
  readonly secretString: (secret: SecretSpec) => string
}

/** What an environment-agnostic stack runs in. The account is the one that the emulators know. */
export const LOCAL_ACCOUNT = '000000000000'
export const LOCAL_REGION = 'us-east-1'

export function readModel(assembly: Assembly, options: ModelOptions): Model {
  const region = assembly.region ?? LOCAL_REGION
  const account = assembly.account ?? LOCAL_ACCOUNT
  const place = { region, account, endpoint: options.endpoint }
  const withoutDynamicValues = readResources(assembly, place, (_, id) => `{{${id}}}`)
  const secrets = readSecrets(withoutDynamicValues, () => undefined)
  const parameters = readParameters(withoutDynamicValues, region, account)
  const dynamicValues: DynamicValues = (service, id, at) => {
    if (service === 'ssm') {
      const parameter = parameters.find(({ name }) => name === id)
      if (parameter !== undefined) return parameter.value
    } else {
      const secret = secrets.find(({ arn, name }) => arn === id || name === id)
      if (secret !== undefined) return options.secretString(secret)
    }
    throw new TemplateError(at, `refers to ${id} of ${service}, which the template does not have`)
  }
  const resources = readResources(assembly, place, dynamicValues)
  const keys = readKeys(resources)
  return {
    region,
    account,
    queues: readQueues(resources, keys.find),
    tables: readTables(resources, keys.find),
    buckets: readBuckets(resources, keys.find),
    keyArns: keys.arns,
    keyAliases: keys.aliases,
    secrets: readSecrets(resources, keys.find),
    parameters: readParameters(resources, region, account),
    roles: readRoles(resources),
    resourcePolicies: readResourcePolicies(resources),
    functions: readFunctions(resources, assembly),
    permissions: readPermissions(resources),
    mappings: readMappings(resources),
    httpApis: readHttpApis(resources, { region, account }),
    webSocketApis: readWebSocketApis(resources, { region, account }),
    rules: readRules(resources),
    services: readServices(resources),
    apiDomains: readApiDomains(resources),
    distributions: readDistributions(resources),
    customResources: readCustomResources(resources),
    outputs: resources.outputs,
    inert: resources.inert,
  }
}
