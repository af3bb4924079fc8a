/** What happened, one fact at a time, for the event stream and for logs. */

export type SimulatorEvent =
  | { event: 'login'; device: string; replaced: boolean }
  | { event: 'logout'; device: string; reason: string }
  | { event: 'login-refused'; device: string; reason: number }
  | { event: 'registration'; connection: number }
  | { event: 'upgrade-refused'; status: number }
  | { event: 'pairing'; device: string; by: 'qr' | 'code' }
  | { event: 'unlinked'; device: string; by: 'phone' | 'companion' }
  | { event: 'message'; id: string; from: string; to: string; arrivals: number }
  | { event: 'received'; id: string; phone: string; from: string; kind: string; arrivals: number }
  | { event: 'undecryptable'; id: string; phone: string; from: string; reason: string }
  | { event: 'receipt'; id: string; from: string; to: string; type: string }
  | { event: 'chat-state'; from: string; to: string; state: string }
  | { event: 'media-uploaded'; id: string; type: string; length: number }
  | { event: 'fault'; id: string; kind: string; applied: number }
  | { event: 'phone-error'; phone: string; detail: string }
  | { event: 'protocol-error'; connection: number; detail: string }

export type TimedEvent = SimulatorEvent & { at: string }

type Listener = (event: TimedEvent) => void

export class EventLog {
  readonly #listeners = new Set<Listener>()

  publish(event: SimulatorEvent): void {
    if (this.#listeners.size === 0) return
    const timed = { at: new Date().toISOString(), ...event }
    for (const listener of this.#listeners) listener(timed)
  }

  /** Returns the function that ends the subscription. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
