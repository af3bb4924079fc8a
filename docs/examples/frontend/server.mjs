/** The page's backend: serves it, and passes its calls on with the API key, which never reaches the browser. */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const { HOLDFAST_URL, HOLDFAST_API_KEY, PORT = '8080' } = process.env
const CLIENT = process.env.HOLDFAST_CLIENT ?? join(here, '../../../dist/client/index.js')
if (!HOLDFAST_URL || !HOLDFAST_API_KEY)
  throw new Error('HOLDFAST_URL and HOLDFAST_API_KEY: expected in the environment')

const files = {
  '/': [join(here, 'index.html'), 'text/html; charset=utf-8'],
  '/page.js': [join(here, 'page.js'), 'text/javascript'],
  '/client.js': [CLIENT, 'text/javascript'],
}
/** What the page may call. A real backend would ask who its user is first. */
const passed = [
  /^GET \/connections(\/[^/]+\/qr)?$/,
  /^POST \/connections$/,
  /^POST \/connections\/[^/]+\/messages$/,
  /^POST \/live\/tickets$/,
]

const server = createServer(async (request, response) => {
  try {
    const { pathname, search } = new URL(request.url ?? '/', 'http://page')
    const file = files[pathname]
    if (file !== undefined) {
      const [path, type] = file
      response.writeHead(200, { 'content-type': type }).end(await readFile(path))
      return
    }
    const path = pathname.replace(/^\/api/, '')
    if (!pathname.startsWith('/api/') || !passed.some((call) => call.test(`${request.method} ${path}`))) {
      response.writeHead(404).end()
      return
    }
    let body = ''
    for await (const chunk of request) body += chunk
    const answer = await fetch(`${HOLDFAST_URL.replace(/\/$/, '')}${path}${search}`, {
      method: request.method,
      headers: {
        'x-api-key': HOLDFAST_API_KEY,
        accept: request.headers.accept ?? 'application/json',
        ...(body === '' ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === '' ? {} : { body }),
    })
    const type = answer.headers.get('content-type')
    response.writeHead(answer.status, type === null ? {} : { 'content-type': type })
    response.end(Buffer.from(await answer.arrayBuffer()))
  } catch (error) {
    if (!response.headersSent) response.writeHead(502)
    response.end(String(error))
  }
})
server.listen(Number(PORT), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
