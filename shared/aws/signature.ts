import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto'

export interface SigningCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

const algorithm = 'AWS4-HMAC-SHA256'
const contentType = 'application/x-amz-json-1.0'

/**
 * Signs POSTs of JSON to the root of one service: AWS Signature Version 4, with the headers that the SDK's signer gives, at a
 * sixth of its CPU. That one is made for any request; here all but body, target and time is known before.
 * Source: "Create a signed AWS API request", AWS Identity and Access Management User Guide.
 */
export class PostSigner {
  readonly #place: { readonly region: string; readonly service: string; readonly host: string }
  #key: { readonly day: string; readonly secret: string; readonly object: KeyObject } | undefined

  /** @param place `host` as the request's header says it, with the port where it has one */
  constructor(place: { readonly region: string; readonly service: string; readonly host: string }) {
    this.#place = place
  }

  /**
   * @param target of the header `x-amz-target`
   * @returns all headers but `content-length`
   */
  sign(target: string, body: string, credentials: SigningCredentials, nowMs: number): Readonly<Record<string, string>> {
    const { region, service, host } = this.#place
    const { accessKeyId, secretAccessKey, sessionToken } = credentials
    const at = new Date(nowMs).toISOString().replace(/[-:]|\.\d{3}/g, '')
    const day = at.slice(0, 8)
    const scope = `${day}/${region}/${service}/aws4_request`
    const bodyHash = hash('sha256', body)
    // By name.
    const headers: Record<string, string> = {
      'content-type': contentType,
      host,
      'x-amz-content-sha256': bodyHash,
      'x-amz-date': at,
      ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
      'x-amz-target': target,
    }
    let lines = ''
    for (const name in headers) lines += `${name}:${headers[name]}\n`
    const signed = Object.keys(headers).join(';')
    const request = `POST\n/\n\n${lines}\n${signed}\n${bodyHash}`
    const signature = createHmac('sha256', this.#keyOf(day, secretAccessKey))
      .update(`${algorithm}\n${at}\n${scope}\n${hash('sha256', request)}`)
      .digest('hex')
    headers['authorization'] =
      `${algorithm} Credential=${accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`
    return headers
  }

  /** Changes with the day, and with the credentials. */
  #keyOf(day: string, secret: string): KeyObject {
    if (this.#key?.day !== day || this.#key.secret !== secret) {
      const { region, service } = this.#place
      const parts = [day, region, service, 'aws4_request']
      const start = Buffer.from(`AWS4${secret}`)
      const bytes = parts.reduce((key, part) => createHmac('sha256', key).update(part).digest(), start)
      this.#key = { day, secret, object: createSecretKey(bytes) }
    }
    return this.#key.object
  }
}
