/** A provider as its tokens' readers see it: discovery and keys over HTTP. It signs whatever a test wants. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'

export interface SignedWith {
  /** Default: the newest published key. */
  readonly key?: SigningKey
  readonly header?: Readonly<Record<string, string>>
}

export interface SigningKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: CryptoKey
  /** As the provider publishes it. */
  readonly published: object
}

let keys = 0

export async function newKey(alg = 'ES256'): Promise<SigningKey> {
  keys += 1
  const kid = `key-${keys}`
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  return { kid, alg, privateKey, published: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

export async function startIssuer() {
  let current = await newKey()
  let published: readonly SigningKey[] = [current]
  let up = true
  const asked = { discovery: 0, keys: 0 }
  const server = createServer((request, response) => {
    const answer = (body: object) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    if (!up) response.writeHead(503).end()
    else if (request.url === '/.well-known/openid-configuration') {
      asked.discovery += 1
      answer({ issuer: url, jwks_uri: `${url}/keys` })
    } else if (request.url === '/keys') {
      asked.keys += 1
      answer({ keys: published.map((key) => key.published) })
    } else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    url,
    /** How often it was asked for what. */
    asked: asked as Readonly<typeof asked>,
    /** A new key signs from now on; the old one is withdrawn, or kept for a while. */
    async rotate(keep: 'old-too' | 'new-only' = 'new-only'): Promise<void> {
      const old = published
      current = await newKey()
      published = keep === 'old-too' ? [...old, current] : [current]
    },
    answers(yes: boolean): void {
      up = yes
    },
    sign(claims: JWTPayload, { key = current, header = {} }: SignedWith = {}): Promise<string> {
      return new SignJWT(claims).setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.privateKey)
    },
    async stop(): Promise<void> {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}
export type Issuer = Awaited<ReturnType<typeof startIssuer>>
