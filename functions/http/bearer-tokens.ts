import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { type Person, personOf } from '../../shared/domain/sign-in.ts'
import type { SignIn } from '../config.ts'
import { log } from '../log.ts'

export type Presented =
  | { readonly kind: 'person'; readonly person: Person }
  | { readonly kind: 'expired' }
  /** Not of this provider, not for this service, changed, or not a token at all. */
  | { readonly kind: 'invalid' }
  /** The provider's keys cannot be had now. */
  | { readonly kind: 'unavailable' }

export interface BearerTokensOptions {
  /** How long keys are believed, and how soon they may be asked for again when a token names one that is not among them. */
  readonly keysKeptMs?: number
  readonly keysAgainMs?: number
}

/** Signatures that need the provider's private key. Neither `none` nor a shared secret is among them. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']
/** What a token calls itself; a provider's other signed things (logout tokens, for one) are no sign-in. */
const kinds = new Set(['jwt', 'at+jwt', 'application/at+jwt'])

const discoveryKeptMs = 3_600_000
/** A provider that does not answer is not asked with every call. */
const failureKeptMs = 5_000
const answerMsMax = 3_000
const clockToleranceSeconds = 30

/** Tells who a bearer token is: its signature by the provider's published keys, its issuer, audience and times, then its claims. */
export class BearerTokens {
  readonly #signIn: SignIn
  readonly #options: BearerTokensOptions
  #keys: { readonly found: Promise<JWTVerifyGetKey>; readonly untilMs: number } | undefined

  constructor(signIn: SignIn, options: BearerTokensOptions = {}) {
    this.#signIn = signIn
    this.#options = options
  }

  async identify(token: string, nowMs: number): Promise<Presented> {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, await this.#keysAt(nowMs), {
        algorithms,
        issuer: this.#signIn.issuer,
        requiredClaims: ['sub', 'exp'],
        clockTolerance: clockToleranceSeconds,
        currentDate: new Date(nowMs),
      })
      if (!kinds.has((protectedHeader.typ ?? 'JWT').toLowerCase())) return { kind: 'invalid' }
      if (!isFor(payload, this.#signIn.audience)) return { kind: 'invalid' }
      const person = personOf(payload, this.#signIn)
      return person === undefined ? { kind: 'invalid' } : { kind: 'person', person }
    } catch (error) {
      if (error instanceof errors.JWTExpired) return { kind: 'expired' }
      if (isOfToken(error)) return { kind: 'invalid' }
      log.error('keys of the sign-in provider cannot be had', { issuer: this.#signIn.issuer, error: error as Error })
      return { kind: 'unavailable' }
    }
  }

  #keysAt(nowMs: number): Promise<JWTVerifyGetKey> {
    if (this.#keys !== undefined && nowMs < this.#keys.untilMs) return this.#keys.found
    const found = this.#discover()
    this.#keys = { found, untilMs: nowMs + discoveryKeptMs }
    found.catch(() => {
      this.#keys = { found, untilMs: nowMs + failureKeptMs }
    })
    return found
  }

  async #discover(): Promise<JWTVerifyGetKey> {
    const { issuer } = this.#signIn
    const answer = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
      signal: AbortSignal.timeout(answerMsMax),
      headers: { accept: 'application/json' },
    })
    if (!answer.ok) throw new Error(`discovery of the sign-in provider: HTTP ${answer.status}`)
    const told = (await answer.json()) as { readonly issuer?: unknown; readonly jwks_uri?: unknown }
    if (told.issuer !== issuer) throw new Error('discovery of the sign-in provider: it names another issuer')
    const keys = new URL(String(told.jwks_uri))
    if (keys.protocol !== 'https:' && !issuer.startsWith('http:')) {
      throw new Error('discovery of the sign-in provider: its keys are not behind TLS')
    }
    return createRemoteJWKSet(keys, {
      timeoutDuration: answerMsMax,
      cacheMaxAge: this.#options.keysKeptMs ?? 600_000,
      cooldownDuration: this.#options.keysAgainMs ?? 30_000,
    })
  }
}

/** Access tokens of some providers (Amazon Cognito) name no audience, only the client that they were made for. */
function isFor({ aud, client_id }: JWTPayload, audience: string): boolean {
  return [aud ?? client_id].flat().includes(audience)
}

/** What is wrong with the token itself, apart from what went wrong in getting the keys. */
function isOfToken(error: unknown): boolean {
  return (
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JWTClaimValidationFailed ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported ||
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys
  )
}
