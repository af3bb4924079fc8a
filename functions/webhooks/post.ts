import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Attempt } from '../../shared/domain/webhooks.ts'
import { checkTarget, guardedLookup, TargetRefused, type TargetScope } from '../../shared/net/targets.ts'

/** From the first byte of the lookup to the answer's head. */
export const callMsMax = 12_000

/** Posts to endpoints. Sockets are kept open between the events of one lane. */
export interface Poster {
  /** Never rejects. An answer's body is not read. */
  post(url: string, headers: Readonly<Record<string, string>>, body: string): Promise<Attempt>
  close(): void
}

export function poster(scope: TargetScope, timeoutMs = callMsMax): Poster {
  // Every new socket asks the guard; one that is kept open was asked for.
  const options = { keepAlive: true, maxSockets: 1, lookup: guardedLookup(scope) }
  const http = new HttpAgent(options)
  const https = new HttpsAgent(options)

  function call(url: URL, headers: Readonly<Record<string, string>>, body: string): Promise<number> {
    return new Promise((answered, failed) => {
      const secure = url.protocol === 'https:'
      const send = secure ? httpsRequest : httpRequest
      const request = send(url, {
        method: 'POST',
        agent: secure ? https : http,
        headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
        signal: AbortSignal.timeout(timeoutMs),
      })
      request.once('error', failed)
      request.once('response', (response) => {
        answered(response.statusCode ?? 0)
        // A short answer is let through, so that the socket can be used again; a long one is nobody's business.
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > 16 * 1024) response.destroy()
        })
        response.on('error', () => undefined)
      })
      request.end(body)
    })
  }

  return {
    async post(address, headers, body) {
      const startedAt = performance.now()
      const durationMs = () => Math.round(performance.now() - startedAt)
      try {
        const url = new URL(address)
        checkTarget(url, scope)
        const all = { 'user-agent': 'Holdfast-Webhooks/1', ...headers, 'content-type': 'application/json' }
        const statusCode = await call(url, all, body)
        if (statusCode >= 200 && statusCode < 300) return { kind: 'delivered', statusCode, durationMs: durationMs() }
        const redirect = statusCode >= 300 && statusCode < 400 ? '; redirects are not followed' : ''
        const error = `The endpoint answered ${statusCode}${redirect}.`
        return { kind: 'failed', statusCode, durationMs: durationMs(), error }
      } catch (error) {
        return { kind: 'failed', durationMs: durationMs(), error: sentenceOf(error, timeoutMs) }
      }
    },
    close() {
      http.destroy()
      https.destroy()
    },
  }
}

/** What a person needs to mend it. Node's own texts name addresses that the caller need not know. */
function sentenceOf(error: unknown, timeoutMs: number): string {
  if (error instanceof TargetRefused) return `The address ${error.message}.`
  const { name, code } = error as { readonly name?: string; readonly code?: string }
  if (name === 'TimeoutError' || name === 'AbortError' || code === 'ABORT_ERR') {
    return `No answer within ${timeoutMs / 1000} s.`
  }
  return `The endpoint could not be reached (${code ?? 'unknown error'}).`
}
