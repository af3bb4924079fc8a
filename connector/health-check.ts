/** The container's health check, a process of its own: exits with 0 when the worker beside it is healthy, else with 1. */
import { request } from 'node:http'
import { healthAddress } from './health-address.ts'

const timeoutMs = 4_000

const asking = request({ socketPath: healthAddress(process.env), path: '/health', timeout: timeoutMs }, (answer) => {
  let body = ''
  answer.setEncoding('utf8')
  answer.on('data', (text: string) => {
    body += text
  })
  answer.on('end', () => finish(answer.statusCode === 200, body))
})
asking.on('timeout', () => finish(false, `no answer within ${timeoutMs} ms`))
asking.on('error', (error) => finish(false, error.message))
asking.end()

function finish(healthy: boolean, text: string): void {
  ;(healthy ? process.stdout : process.stderr).write(`${text}\n`)
  process.exit(healthy ? 0 : 1)
}
