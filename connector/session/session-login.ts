import type { ConnectionRef } from '../../shared/domain/words.ts'
import type { LoginGate, LoginLane, LoginPermit } from '../ports.ts'

/** A session's place at the login limiter: one request, or one permit, or neither. */
export class SessionLogin {
  readonly #ref: ConnectionRef
  readonly #gate: LoginGate
  readonly #onGranted: () => void
  #request: AbortController | undefined
  #permit: LoginPermit | undefined

  constructor(ref: ConnectionRef, gate: LoginGate, onGranted: () => void) {
    this.#ref = ref
    this.#gate = gate
    this.#onGranted = onGranted
  }

  /** Takes the place of an earlier request. */
  request(lane: LoginLane, crashes: number): void {
    this.cancel()
    const request = new AbortController()
    this.#request = request
    this.#gate.acquire(this.#ref, lane, request.signal, crashes).then(
      (permit) => {
        if (request.signal.aborted) {
          permit.done('neutral')
          return
        }
        this.#request = undefined
        this.#permit?.done('neutral')
        this.#permit = permit
        this.#onGranted()
      },
      () => undefined,
    )
  }

  cancel(): void {
    this.#request?.abort()
    this.#request = undefined
  }

  giveBack(result: 'opened' | 'failed' | 'neutral'): void {
    const permit = this.#permit
    this.#permit = undefined
    permit?.done(result)
  }

  end(): void {
    this.cancel()
    this.giveBack('neutral')
  }
}
