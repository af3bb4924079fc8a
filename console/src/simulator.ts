/** The simulated WhatsApp's control API, as local mode passes it on. Only ever there on one's own machine. */

export interface SimulatedPhone {
  readonly phoneNumber: string
  readonly name?: string
  readonly devices?: readonly unknown[]
}

export interface SimulatedMessage {
  readonly id: string
  readonly from: string
  readonly kind: string
  readonly text?: string
}

export interface SimulatedFault {
  readonly id: string
  readonly kind: string
}

export class Simulator {
  readonly #base: string

  constructor(base: string) {
    this.#base = base
  }

  async phones(): Promise<readonly SimulatedPhone[]> {
    const answer = await this.#call<{ phones: readonly SimulatedPhone[] } | readonly SimulatedPhone[]>('GET', '/phones')
    const phones = 'phones' in answer ? answer.phones : answer
    return phones.map((phone) => ({ ...phone, phoneNumber: `+${digits(phone.phoneNumber)}` }))
  }

  create(phoneNumber: string, name: string): Promise<unknown> {
    return this.#call('POST', '/phones', name === '' ? { phoneNumber } : { phoneNumber, name })
  }

  scan(phoneNumber: string, qr: string): Promise<unknown> {
    return this.#call('POST', `/phones/${digits(phoneNumber)}/scan`, { qr })
  }

  enterCode(phoneNumber: string, code: string): Promise<unknown> {
    return this.#call('POST', `/phones/${digits(phoneNumber)}/pairing-code`, { code })
  }

  send(from: string, to: string, text: string): Promise<unknown> {
    return this.#call('POST', `/phones/${digits(from)}/messages`, { to, text })
  }

  /** With `count`, once so many are there, or after `waitSeconds`. */
  async inbox(phoneNumber: string, count = 0, waitSeconds = 0): Promise<readonly SimulatedMessage[]> {
    const query = waitSeconds === 0 ? '' : `?wait=${waitSeconds}&count=${count}`
    const { messages } = await this.#call<{ messages: readonly SimulatedMessage[] }>(
      'GET',
      `/phones/${digits(phoneNumber)}/inbox${query}`,
    )
    return messages
  }

  async faults(): Promise<readonly SimulatedFault[]> {
    const answer = await this.#call<{ faults: readonly SimulatedFault[] } | readonly SimulatedFault[]>('GET', '/faults')
    return 'faults' in answer ? answer.faults : answer
  }

  addFault(fault: Readonly<Record<string, unknown>>): Promise<unknown> {
    return this.#call('POST', '/faults', fault)
  }

  clearFaults(): Promise<unknown> {
    return this.#call('DELETE', '/faults')
  }

  async #call<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(`${this.#base}${path}`, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    const value = text === '' ? undefined : JSON.parse(text)
    if (!answer.ok)
      throw new Error(value?.detail ?? value?.title ?? `The simulated WhatsApp answered ${answer.status}.`)
    return value as T
  }
}

const digits = (phoneNumber: string): string => phoneNumber.replace(/\D/g, '')
