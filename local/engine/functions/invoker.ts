/** All functions of the template behind one `Invoker`, each with its environment, its key and its resource policy. */
import type { Credentials, EngineLog, InvokeResult, Invoker, InvokeSource, Running } from '../contracts.ts'
import { matchesWildcard } from '../iam/wildcard.ts'
import type { FunctionSpec, PermissionSpec } from '../template/specs.ts'
import { createFunctionPool, type FunctionPool, type PoolSettings } from './pool.ts'

export interface FunctionHostOptions {
  readonly functions: readonly FunctionSpec[]
  readonly permissions: readonly PermissionSpec[]
  readonly region: string
  readonly endpoint: string
  readonly credentialsFor: (spec: FunctionSpec) => Credentials
  /** Turns the template's API URLs into local ones. */
  readonly localize: (value: string) => string
  /** For all functions. */
  readonly everywhere?: Readonly<Record<string, string>>
  /** By function title or name; for tests. */
  readonly overrides: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly log: EngineLog
  readonly pool?: PoolSettings
}

export interface FunctionHost extends Invoker, Running {
  /** Ends what runs of the functions whose title begins so, and gives how many invocations that broke off. */
  kill(title: string): Promise<number>
}

export function createFunctionHost(options: FunctionHostOptions): FunctionHost {
  const { functions, permissions, log } = options
  const pools = new Map<string, FunctionPool>()
  for (const spec of functions)
    pools.set(spec.arn, createFunctionPool(spec, environmentOf(spec, options), log, options.pool))

  return {
    async invoke(functionArn, event, source): Promise<InvokeResult> {
      const pool = pools.get(functionArn)
      if (pool === undefined) return refused('ResourceNotFoundException', `Function not found: ${functionArn}`)
      if (!mayInvoke(permissions, functionArn, source)) {
        const message = `${source.service} may not invoke ${functionArn} from ${source.sourceArn}: the template has no AWS::Lambda::Permission for it`
        log.error('lambda permission', message)
        return refused('AccessDeniedException', message)
      }
      return pool.invoke(event)
    },
    async kill(title) {
      const chosen = functions.filter((spec) => spec.title.startsWith(title))
      const killed = await Promise.all(chosen.map(({ arn }) => pools.get(arn)?.kill() ?? 0))
      return killed.reduce((sum, count) => sum + count, 0)
    },
    async stop() {
      await Promise.all([...pools.values()].map((pool) => pool.stop()))
    },
  }
}

function refused(errorType: string, errorMessage: string): InvokeResult {
  return { kind: 'error', errorType, errorMessage, timedOut: false }
}

/** Event source mappings poll under the function's own role and need no permission. */
export function mayInvoke(permissions: readonly PermissionSpec[], functionArn: string, source: InvokeSource): boolean {
  if (source.service === 'mapping') return true
  // CloudFormation invokes with the rights of who deploys.
  if (source.service === 'cloudformation.amazonaws.com') return true
  return permissions.some(
    (permission) =>
      permission.functionArn === functionArn &&
      permission.service === source.service &&
      (permission.sourceArn === undefined || matchesWildcard(source.sourceArn, permission.sourceArn)),
  )
}

/** What Lambda sets, then the template's own. Nothing of this process's environment, not even PATH's contents. */
function environmentOf(spec: FunctionSpec, options: FunctionHostOptions): Readonly<Record<string, string>> {
  const credentials = options.credentialsFor(spec)
  const own = Object.fromEntries(
    Object.entries(spec.environment).map(([name, value]) => [name, options.localize(value)]),
  )
  return {
    ...sdkEnvironment(options.region, options.endpoint, credentials),
    AWS_DEFAULT_REGION: options.region,
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: spec.name,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(spec.memoryMb),
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${spec.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: 'local',
    LAMBDA_TASK_ROOT: spec.directory,
    _HANDLER: spec.handler,
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    ...own,
    ...options.everywhere,
    ...options.overrides[spec.title],
    ...options.overrides[spec.name],
  }
}

/** What lets an SDK client find the front, and nothing else: no instance metadata, no profiles of the person. */
export function sdkEnvironment(
  region: string,
  endpoint: string,
  credentials: Credentials,
): Readonly<Record<string, string>> {
  return {
    AWS_REGION: region,
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  }
}
