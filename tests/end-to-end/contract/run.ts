import { bounded } from '../../../functions/bounded.ts'
import { called, findingsIn } from './check.ts'
import type { Described, DescribedOperation } from './described.ts'
import { type ContractRequest, Requests } from './requests.ts'
import type { Seeds } from './seeds.ts'

export interface ContractRun {
  readonly baseUrl: string
  readonly apiKey: string
  readonly adminApiKey: string
  readonly seeds: Seeds
  readonly seed: number
  /** Of each operation, beside the one that is to succeed. */
  readonly samples: number
  /** Absent: all. */
  readonly only?: string
}

export interface ContractReport {
  readonly calls: number
  readonly statuses: Readonly<Record<string, number>>
  /** Operations that were answered with success at least once. */
  readonly succeeded: ReadonlySet<string>
  readonly findings: readonly string[]
}

const operationsAtOnce = 4

/** Calls every operation of the served document, as it says and otherwise, and holds each answer against it. */
export async function testContract(described: Described, run: ContractRun): Promise<ContractReport> {
  const requests = new Requests(described, run.seeds.pools)
  const succeeded = new Set<string>()
  const findings: string[] = []
  const statuses: Record<string, number> = {}
  let calls = 0

  async function tried(operation: DescribedOperation, request: ContractRequest): Promise<void> {
    const key = keyFor(operation, run)
    calls += 1
    const answer = await called(run.baseUrl, key, request).catch((error: unknown) => String(error))
    if (typeof answer === 'string') {
      findings.push(`${operation.id}: ${answer}\n  ${request.method} ${request.path}`)
      return
    }
    statuses[answer.status] = (statuses[answer.status] ?? 0) + 1
    if (answer.status < 300) succeeded.add(operation.id)
    for (const finding of findingsIn(described, operation, request, answer)) {
      const { method, path, headers, body } = request
      findings.push(
        [
          `${operation.id}: ${finding}`,
          `  ${method} ${path} ${JSON.stringify(headers)} ${body?.slice(0, 500) ?? ''}`,
          `  replay: CONTRACT_SEED=${run.seed} CONTRACT_SAMPLES=${run.samples} CONTRACT_ONLY=${operation.id}`,
        ].join('\n'),
      )
    }
  }

  const operations = described.operations.filter(({ id }) => run.only === undefined || id === run.only)
  await bounded(operations, operationsAtOnce, async (operation) => {
    const { good, own } = run.seeds
    if (operation.id in good || !operation.parameters.some((parameter) => parameter.in === 'path')) {
      await tried(operation, requests.good(operation, good[operation.id] ?? {}))
    }
    const samples = requests.sample(operation, own[operation.id] ?? {}, run.seed + numberOf(operation.id), run.samples)
    for (const request of samples) await tried(operation, request)
  })
  return { calls, statuses, succeeded, findings }
}

function keyFor({ path, needsKey }: DescribedOperation, { apiKey, adminApiKey }: ContractRun): string | undefined {
  if (!needsKey) return undefined
  return path.startsWith('/admin') ? adminApiKey : apiKey
}

/** Each operation has a series of its own, whichever others are run. */
const numberOf = (id: string): number => [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) | 0, 7)
