/** Counters that a test or a bench reads: who was logged in how often and at once, and which message arrived how often. */

const RATE_WINDOW_MS = 1000

interface DeviceStats {
  /** Authenticated sockets at this moment. */
  open: number
  maxOpen: number
  logins: number
  lastLoginAt: string | undefined
}

export class Stats {
  readonly #now: () => number
  #devices = new Map<string, DeviceStats>()
  #arrivals = new Map<string, number>()
  /** Copies that a recipient asked for: these are no duplicates. */
  #resendsAsked = new Map<string, number>()
  /** Messages that a phone could not decrypt and has not received in another copy. */
  #unresolved = new Set<string>()
  #recentLogins: number[] = []
  #socketsOpen = 0
  #handshakes = 0
  loginsTotal = 0
  loginRatePeak = 0
  handshakesPeak = 0
  socketsOpenPeak = 0
  refusedLogins = 0
  refusedUpgrades = 0
  conflicts = 0
  pairings = 0
  decryptFailures = 0
  protocolErrors = 0
  /** Accounts whose list of devices was asked for, and devices whose keys were fetched. */
  deviceListsAsked = 0
  bundlesFetched = 0
  /** Requests that give contacts privacy tokens, and how many contacts they named. */
  tokenRequests = 0
  tokensGiven = 0

  constructor(now: () => number) {
    this.#now = now
  }

  handshakeStarted(): void {
    this.#handshakes++
    this.handshakesPeak = Math.max(this.handshakesPeak, this.#handshakes)
  }

  handshakeEnded(): void {
    this.#handshakes--
  }

  loggedIn(device: string): void {
    const now = this.#now()
    const stats = this.#device(device)
    stats.logins++
    stats.open++
    stats.maxOpen = Math.max(stats.maxOpen, stats.open)
    stats.lastLoginAt = new Date(now).toISOString()
    this.loginsTotal++
    this.#socketsOpen++
    this.socketsOpenPeak = Math.max(this.socketsOpenPeak, this.#socketsOpen)
    this.#recentLogins.push(now)
    while (this.#recentLogins[0] !== undefined && this.#recentLogins[0] <= now - RATE_WINDOW_MS)
      this.#recentLogins.shift()
    this.loginRatePeak = Math.max(this.loginRatePeak, this.#recentLogins.length)
  }

  loggedOut(device: string): void {
    this.#device(device).open--
    this.#socketsOpen--
  }

  /** Returns how often the message has arrived by now. */
  messageArrived(id: string): number {
    const arrivals = (this.#arrivals.get(id) ?? 0) + 1
    this.#arrivals.set(id, arrivals)
    return arrivals
  }

  decryptFailed(phone: string, id: string): void {
    this.decryptFailures++
    this.#unresolved.add(`${phone} ${id}`)
  }

  decrypted(phone: string, id: string): void {
    this.#unresolved.delete(`${phone} ${id}`)
  }

  resendAsked(id: string): void {
    this.#resendsAsked.set(id, (this.#resendsAsked.get(id) ?? 0) + 1)
  }

  /** Starts counting anew; what is open stays open. */
  reset(): void {
    const open = [...this.#devices].filter(([, stats]) => stats.open > 0)
    this.#devices = new Map(
      open.map(([device, stats]) => [
        device,
        { open: stats.open, maxOpen: stats.open, logins: 0, lastLoginAt: undefined },
      ]),
    )
    this.#arrivals = new Map()
    this.#recentLogins = []
    this.loginsTotal = 0
    this.loginRatePeak = 0
    this.handshakesPeak = this.#handshakes
    this.socketsOpenPeak = this.#socketsOpen
    this.refusedLogins = 0
    this.refusedUpgrades = 0
    this.conflicts = 0
    this.pairings = 0
    this.decryptFailures = 0
    this.#unresolved = new Set()
    this.#resendsAsked = new Map()
    this.protocolErrors = 0
    this.deviceListsAsked = 0
    this.bundlesFetched = 0
    this.tokenRequests = 0
    this.tokensGiven = 0
  }

  /** `withMessages: false` leaves out the table of ids, which grows with every message. */
  report(withMessages: boolean) {
    let maxSocketsPerDevice = 0
    for (const stats of this.#devices.values()) maxSocketsPerDevice = Math.max(maxSocketsPerDevice, stats.maxOpen)
    let messagesArrived = 0
    let messagesArrivedTwice = 0
    for (const [id, arrivals] of this.#arrivals) {
      messagesArrived += arrivals
      if (arrivals - (this.#resendsAsked.get(id) ?? 0) > 1) messagesArrivedTwice++
    }
    let resendsRequested = 0
    for (const asked of this.#resendsAsked.values()) resendsRequested += asked
    return {
      socketsOpen: this.#socketsOpen,
      socketsOpenPeak: this.socketsOpenPeak,
      maxSocketsPerDevice,
      handshakesPeak: this.handshakesPeak,
      loginsTotal: this.loginsTotal,
      loginRatePeak: this.loginRatePeak,
      refusedLogins: this.refusedLogins,
      refusedUpgrades: this.refusedUpgrades,
      conflicts: this.conflicts,
      pairings: this.pairings,
      messagesTotal: messagesArrived,
      messagesDistinct: this.#arrivals.size,
      messagesArrivedTwice,
      decryptFailures: this.decryptFailures,
      undecryptable: this.#unresolved.size,
      resendsRequested,
      protocolErrors: this.protocolErrors,
      deviceListsAsked: this.deviceListsAsked,
      bundlesFetched: this.bundlesFetched,
      tokenRequests: this.tokenRequests,
      tokensGiven: this.tokensGiven,
      devices: Object.fromEntries(this.#devices),
      ...(withMessages ? { messages: Object.fromEntries(this.#arrivals) } : {}),
    }
  }

  #device(device: string): DeviceStats {
    let stats = this.#devices.get(device)
    if (!stats) {
      stats = { open: 0, maxOpen: 0, logins: 0, lastLoginAt: undefined }
      this.#devices.set(device, stats)
    }
    return stats
  }
}
