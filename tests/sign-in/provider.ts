/** A whole OpenID Connect provider on this machine, with its own pages: anybody signs in by typing who they are. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair } from 'jose'
import Provider from 'oidc-provider'
import type { StackTemplate } from '../../local/engine/template/assembly.ts'

/** Claims of people, by what they sign in as. */
export type People = Readonly<Record<string, Readonly<Record<string, unknown>>>>

const clientId = 'console'
const audience = 'holdfast-api'
/** In the settings that are synthesized, so that one assembly serves every run; the template gets the real one. */
const placeholder = 'http://127.0.0.1:9'

/** As in cdk.json. */
export const signInSetting = {
  issuer: placeholder,
  clientId,
  audience,
  parameters: { resource: `urn:${audience}` },
  businessProfileClaim: 'app.profile',
  roleClaim: 'app.roles',
  roles: { staff: ['tenant:*'], ops: ['admin'] },
  insecureLoopback: true,
}

export async function startProvider() {
  let people: People = {}
  let tokenSeconds = 3_600
  let renewals = 0
  let renews = true
  let handle: ReturnType<Provider['callback']> | undefined
  const server = createServer((request, response) => {
    if (handle === undefined) response.writeHead(503).end()
    else void handle(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = { ...(await exportJWK(privateKey)), kid: 'of-the-provider', alg: 'ES256', use: 'sig' }

  return {
    issuer,
    /** Puts the provider's address into the templates. */
    template: (stacks: readonly StackTemplate[]): readonly StackTemplate[] =>
      JSON.parse(JSON.stringify(stacks).replaceAll(placeholder, issuer)),
    /** @param url the console, which people come from and go back to */
    serve(url: string, known: People): void {
      people = known
      const provider = new Provider(issuer, {
        clients: [
          {
            client_id: clientId,
            token_endpoint_auth_method: 'none',
            redirect_uris: [`${url}/`],
            post_logout_redirect_uris: [`${url}/`],
            grant_types: ['authorization_code', 'refresh_token'],
            response_types: ['code'],
            id_token_signed_response_alg: 'ES256',
          },
        ],
        // biome-ignore lint/suspicious/noExplicitAny: two libraries have types of their own for the same keys
        jwks: { keys: [jwk as any] },
        cookies: { keys: ['of the tests'] },
        clientBasedCORS: () => true,
        conformIdTokenClaims: false,
        claims: { openid: ['sub'], profile: ['name'] },
        findAccount(_, sub, token) {
          if (people[sub] === undefined || (token?.kind === 'RefreshToken' && !renews)) return undefined
          return { accountId: sub, claims: () => ({ sub, name: `${sub} of the tests` }) }
        },
        extraTokenClaims: (_, token) => ('accountId' in token ? people[String(token.accountId)] : undefined),
        // Said, so that the provider does not ask for it at every start. That of access tokens is the resource's own.
        ttl: { Interaction: 600, Grant: 3_600, Session: 3_600, RefreshToken: 3_600, IdToken: 3_600 },
        issueRefreshToken: () => true,
        // Nobody is asked whether the console may know their name.
        async loadExistingGrant({ oidc }) {
          const { client, session } = oidc
          if (client === undefined || session?.accountId === undefined) return undefined
          const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
          grant.addOIDCScope('openid profile email')
          grant.addResourceScope(`urn:${audience}`, '')
          await grant.save()
          return grant
        },
        features: {
          resourceIndicators: {
            enabled: true,
            useGrantedResource: () => true,
            getResourceServerInfo: () => ({
              scope: '',
              audience,
              accessTokenFormat: 'jwt',
              accessTokenTTL: tokenSeconds,
              jwt: { sign: { alg: 'ES256' } },
            }),
          },
        },
      })
      provider.on('grant.success', ({ oidc }) => {
        if (oidc.params?.grant_type === 'refresh_token') renewals += 1
      })
      handle = provider.callback()
    },
    /** For tokens that are given out from now on. */
    tokensLast(seconds: number): void {
      tokenSeconds = seconds
    },
    renewals: (): number => renewals,
    /** Whether refresh tokens are good for anything. */
    renew(yes: boolean): void {
      renews = yes
    },
    async stop(): Promise<void> {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}
export type RunningProvider = Awaited<ReturnType<typeof startProvider>>
