/**
 * The control endpoint of local mode, for people and tests: what runs, who called what, kill, deploy, scale. On loopback only,
 * and never for a browser's page: a request that names an origin is refused.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants } from 'node:os'
import type { ContainerHost } from './containers/host.ts'
import type { RingLog } from './engine-log.ts'
import { readWhole } from './front/call.ts'
import type { Ledger } from './iam/ledger.ts'
import type { EmittedMetrics } from './metrics.ts'
import { isObject, type JsonObject } from './template/json.ts'
import type { Model } from './template/specs.ts'

export interface ControlOptions {
  readonly containers: () => ContainerHost | undefined
  readonly ledger: Ledger
  readonly log: RingLog
  readonly metrics: EmittedMetrics
  readonly model: () => Model | undefined
}

type Reply = { readonly status: number; readonly body: unknown }

const BODY_LIMIT_BYTES = 64 * 1024
const SCALE_MAX = 50

export function createControl(options: ControlOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const answer = async (request: IncomingMessage): Promise<Reply> => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const parts = url.pathname.split('/').slice(2).map(decodeURIComponent)
    const host = (request.headers.host ?? '').replace(/:\d+$/, '')
    if (request.headers.origin !== undefined || !['127.0.0.1', 'localhost', '[::1]'].includes(host)) {
      return { status: 403, body: { message: 'the control endpoint is for this machine only, not for pages' } }
    }
    const body = request.method === 'POST' ? parse((await readWhole(request, BODY_LIMIT_BYTES)).toString('utf8')) : {}
    if (body === undefined) return { status: 400, body: { message: 'expected a JSON object' } }
    const [area = '', name = '', action = ''] = parts
    switch (`${request.method} ${[area, name === '' ? '' : ':name', action].filter((part) => part !== '').join('/')}`) {
      case 'GET health':
        return health()
      case 'GET calls':
        return { status: 200, body: { counts: options.ledger.counts(), recent: options.ledger.recent() } }
      case 'GET logs':
        return { status: 200, body: { lines: options.log.lines(url.searchParams.get('part') ?? '') } }
      case 'GET metrics':
        return { status: 200, body: { metrics: options.metrics.list() } }
      case 'GET tasks':
        return { status: 200, body: { tasks: tasks() } }
      case 'GET metadata/:name':
      case 'GET metadata/:name/task': {
        const metadata = options.containers()?.metadata(name)
        if (metadata === undefined) return notFound(`task ${name}`)
        return { status: 200, body: action === 'task' ? metadata : (metadata['Containers'] as readonly unknown[])[0] }
      }
      case 'POST tasks/:name/kill':
        return kill(name, body)
      case 'POST tasks/:name/lose':
        return lose(name)
      case 'POST services/:name/deploy': {
        const service = find(name)
        return service === undefined ? notFound(`service ${name}`) : { status: 200, body: await service.deploy() }
      }
      case 'POST services/:name/scale':
        return scale(name, body)
      default:
        return notFound(`${request.method} ${url.pathname}`)
    }
  }

  const find = (name: string) =>
    options
      .containers()
      ?.services.find(
        ({ spec }) =>
          spec.name === name ||
          spec.title === name ||
          spec.taskDefinition.containers.some((container) => container.name === name),
      )

  const tasks = (): readonly object[] =>
    (options.containers()?.services ?? []).flatMap((service) =>
      service
        .tasks()
        .map((task) => ({ ...task.state(), part: task.part, service: service.spec.name, protected: task.protected() })),
    )

  const health = (): Reply => {
    const services = (options.containers()?.services ?? []).map((service) => {
      const states = service.tasks().map((task) => task.state())
      return {
        name: service.spec.name,
        desired: service.desiredCount(),
        running: states.filter(({ lastStatus }) => lastStatus === 'RUNNING').length,
      }
    })
    const healthy = services.every(({ desired, running }) => running >= desired)
    return { status: 200, body: { healthy, services, nothingToRun: options.model()?.inert ?? [] } }
  }

  const kill = (id: string, body: JsonObject): Reply => {
    const signal = body['signal'] ?? 'SIGKILL'
    if (typeof signal !== 'string' || !(signal in constants.signals))
      return { status: 400, body: { message: `signal: expected a signal's name, found ${String(signal)}` } }
    const task = findTask(id)
    if (task === undefined) return notFound(`task ${id}`)
    task.signal(signal as NodeJS.Signals)
    return { status: 202, body: { taskId: task.id, signal } }
  }

  const lose = (id: string): Reply => {
    const task = findTask(id)
    if (task === undefined) return notFound(`task ${id}`)
    task.lose()
    return { status: 202, body: { taskId: task.id } }
  }

  const findTask = (id: string) =>
    (options.containers()?.services ?? [])
      .flatMap((service) => service.tasks())
      .find((each) => each.id === id || each.state().taskArn === id)

  const scale = async (name: string, body: JsonObject): Promise<Reply> => {
    const count = body['desiredCount']
    if (typeof count !== 'number' || !Number.isInteger(count) || count < 0 || count > SCALE_MAX) {
      return { status: 400, body: { message: `desiredCount: expected a whole number from 0 to ${SCALE_MAX}` } }
    }
    const service = find(name)
    if (service === undefined) return notFound(`service ${name}`)
    await service.scale(count)
    return { status: 200, body: { desiredCount: service.desiredCount() } }
  }

  return (request, response) => {
    answer(request)
      .catch(
        (error: unknown): Reply => ({
          status: 500,
          body: { message: error instanceof Error ? error.message : String(error) },
        }),
      )
      .then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' })
        response.end(JSON.stringify(body))
      })
  }
}

function notFound(what: string): Reply {
  return { status: 404, body: { message: `there is no ${what}` } }
}

function parse(text: string): JsonObject | undefined {
  try {
    const value: unknown = text === '' ? {} : JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
