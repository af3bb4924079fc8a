import type { SessionDependencies } from '../ports.ts'
import { errorName } from './row-writer.ts'

const refreshGapMs = 60_000

/** The WhatsApp Web version that the sockets of a worker name: the configured one, or the newest known after a refusal. */
export class ClientVersions {
  readonly #dependencies: Pick<SessionDependencies, 'clock' | 'log' | 'settings' | 'fetchClientVersion'>
  #fetched: readonly [number, number, number] | undefined
  #askedAt: number | undefined

  constructor(dependencies: Pick<SessionDependencies, 'clock' | 'log' | 'settings' | 'fetchClientVersion'>) {
    this.#dependencies = dependencies
  }

  get current(): readonly [number, number, number] | undefined {
    return this.#fetched ?? this.#dependencies.settings.clientVersion
  }

  /** Asks the source, at most once a minute for all connections of the worker. */
  refresh(): void {
    const { clock, log, fetchClientVersion } = this.#dependencies
    const now = clock.monotonic()
    if (fetchClientVersion === undefined) return
    if (this.#askedAt !== undefined && now - this.#askedAt < refreshGapMs) return
    this.#askedAt = now
    fetchClientVersion().then(
      (version) => {
        if (version === undefined) return
        this.#fetched = version
        log.info({ version }, `Using WhatsApp Web version ${version.join('.')}`)
      },
      (error) => log.warn({ error: errorName(error) }, 'The newest WhatsApp Web version could not be fetched'),
    )
  }
}
