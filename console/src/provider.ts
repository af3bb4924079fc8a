import { ErrorResponse, type User, UserManager, WebStorageStateStore } from 'oidc-client-ts'
import type { SignInConfig } from './config.ts'

/** Sooner than this before its end a token is renewed, so that a slow call does not arrive after it. */
const renewBeforeSeconds = 30

/** Thrown by calls whose person must sign in again. */
export class SignInEnded extends Error {
  constructor() {
    super('Your sign-in has ended.')
    this.name = 'SignInEnded'
  }
}

/**
 * Signs a person in by OpenID Connect: authorization code with PKCE, as a public client. Tokens are kept in this tab's session
 * storage: a reload goes on, and they are gone with the tab. No script but our own runs in the page and it calls no address but
 * those that its content security policy names, which is what keeps them there.
 */
export class Provider {
  readonly #manager: UserManager
  readonly #config: SignInConfig
  readonly #listeners = new Set<() => void>()
  #user: User | undefined
  #renewing: Promise<void> | undefined
  #ended = false

  constructor(config: SignInConfig) {
    const home = `${location.origin}/`
    this.#config = config
    this.#manager = new UserManager({
      authority: config.issuer,
      client_id: config.clientId,
      redirect_uri: home,
      post_logout_redirect_uri: home,
      response_type: 'code',
      scope: config.scope,
      extraQueryParams: { ...config.parameters },
      userStore: new WebStorageStateStore({ store: sessionStorage }),
      stateStore: new WebStorageStateStore({ store: sessionStorage }),
      // Tokens are renewed when one is needed. Without a refresh token that takes a page of the provider, never a hidden frame.
      automaticSilentRenew: false,
      monitorSession: false,
      loadUserInfo: false,
    })
  }

  /** What people call themselves. */
  get name(): string {
    const { name, email, preferred_username, sub = '' } = this.#user?.profile ?? {}
    return name ?? email ?? preferred_username ?? sub
  }

  /** Whether who was signed in must do it again. */
  readonly ended = (): boolean => this.#ended

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Takes what the provider's page sent back, or what this tab kept. @throws {Error} what the provider refused */
  async resume(): Promise<'signed-in' | 'signed-out'> {
    const query = new URLSearchParams(location.search)
    if (query.has('state') && (query.has('code') || query.has('error'))) {
      let place = location.hash
      try {
        this.#user = await this.#manager.signinRedirectCallback()
        if (typeof this.#user.state === 'string' && this.#user.state.startsWith('#')) place = this.#user.state
      } finally {
        // A code is of one use: neither the history nor a reload shall have it.
        history.replaceState(null, '', `/${place}`)
      }
    } else {
      this.#user = (await this.#manager.getUser()) ?? undefined
    }
    if (this.#user === undefined) return 'signed-out'
    if (this.#secondsLeft() > 0 || this.#user.refresh_token !== undefined) return 'signed-in'
    await this.#forget()
    return 'signed-out'
  }

  /** To the provider's page, and back to where the person is now. */
  begin(): Promise<void> {
    return this.#manager.signinRedirect({ state: location.hash })
  }

  /** For the API. @throws {SignInEnded} */
  readonly token = async (): Promise<string> => {
    if (this.#user !== undefined && this.#secondsLeft() < renewBeforeSeconds && this.#user.refresh_token) {
      this.#renewing ??= this.#renew().finally(() => {
        this.#renewing = undefined
      })
      await this.#renewing
    }
    if (this.#user === undefined || this.#secondsLeft() <= 0) {
      this.#end()
      throw new SignInEnded()
    }
    return this.#shown(this.#user)
  }

  /** The platform's own, which also notices that the API takes the token no more. */
  readonly fetch: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init)
    if (answer.status === 401) this.#end()
    return answer
  }

  /** Also at the provider, where it has a way to be told; `then` is called where the page stays. */
  async signOut(then: () => void): Promise<void> {
    const canTell = await this.#manager.metadataService.getEndSessionEndpoint().catch(() => undefined)
    if (canTell !== undefined) {
      // The id token says whose session it is; the tab has forgotten it by then.
      await this.#manager.signoutRedirect()
      return
    }
    await this.#forget()
    then()
  }

  async #renew(): Promise<void> {
    try {
      this.#user = (await this.#manager.signinSilent()) ?? undefined
    } catch (error) {
      // The provider said no; anything else may pass, and what is still good goes on.
      if (error instanceof ErrorResponse) await this.#forget()
      else if (this.#secondsLeft() <= 0) throw error
    }
  }

  async #forget(): Promise<void> {
    this.#user = undefined
    await this.#manager.removeUser()
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    for (const listener of this.#listeners) listener()
  }

  #shown({ access_token, id_token }: User): string {
    return (this.#config.token === 'id' ? id_token : access_token) ?? ''
  }

  #secondsLeft(): number {
    const end = this.#config.token === 'id' ? this.#user?.profile.exp : this.#user?.expires_at
    return (end ?? Number.POSITIVE_INFINITY) - Date.now() / 1_000
  }
}
