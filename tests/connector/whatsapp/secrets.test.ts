import { SessionRecord } from 'libsignal'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Log } from '../../../connector/ports.ts'
import { baileysLogger } from '../../../connector/whatsapp/baileys-log.ts'
import { guardConsole } from '../../../connector/whatsapp/console-guard.ts'

const secret = 'cHJpdmF0ZSByYXRjaGV0IGtleQ=='

describe('console', () => {
  const lines: unknown[][] = []
  const console = {} as Console
  beforeEach(() => {
    lines.length = 0
    for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir'] as const) {
      console[method] = (...items: unknown[]) => void lines.push(items)
    }
    guardConsole(console)
  })

  it('gets the names of objects, never what is in them', () => {
    console.info('Closing session:', { currentRatchet: { rootKey: secret } })
    console.dir({ secret })
    console.error(new TypeError('a reason'), 3, true, null, undefined)
    expect(lines).toEqual([
      ['Closing session:', '[Object]'],
      ['[Object]'],
      ['TypeError: a reason', 3, true, null, undefined],
    ])
    expect(JSON.stringify(lines)).not.toContain(secret)
  })

  it('is guarded once, however often it is asked for', () => {
    const { info } = console
    guardConsole(console)
    expect(console.info).toBe(info)
  })
})

describe('libsignal', () => {
  const original = { ...globalThis.console }
  const written: string[] = []
  const streams = [process.stdout, process.stderr].map((stream) => ({ stream, write: stream.write }))
  beforeEach(() => {
    for (const { stream } of streams) {
      stream.write = ((chunk: string | Uint8Array) => {
        written.push(Buffer.from(chunk as Uint8Array).toString())
        return true
      }) as typeof stream.write
    }
  })
  afterEach(() => {
    for (const { stream, write } of streams) stream.write = write
    Object.assign(globalThis.console, original)
  })

  it('prints no private key when it closes a session', () => {
    for (const method of ['log', 'info', 'warn', 'error'] as const) {
      globalThis.console[method] = (...items: unknown[]) => void process.stdout.write(`${items.map(shown).join(' ')}\n`)
    }
    guardConsole()
    const record = new (SessionRecord as unknown as new () => { closeSession(session: object): void })()
    record.closeSession({ indexInfo: { closed: -1 }, currentRatchet: { ephemeralKeyPair: { privKey: secret } } })
    expect(written.join('')).toContain('Closing session: [Object]')
    expect(written.join('')).not.toContain(secret)
  })
})

describe('Baileys', () => {
  it('logs its sentence and an error’s message, and no field besides', () => {
    const seen: unknown[] = []
    const note = (fields: object, message: string): void => void seen.push([fields, message])
    const log: Log = { debug: note, info: note, warn: note, error: note, child: () => log }
    const logger = baileysLogger(log)
    logger.info({ node: secret }, 'not logged in')
    logger.error({ err: new Error('timed out'), creds: secret }, 'failed')
    logger.child({ creds: secret }).warn({ session: secret }, 'odd')
    expect(seen).toEqual([
      [{ by: 'baileys', reason: 'timed out' }, 'failed'],
      [{ by: 'baileys' }, 'odd'],
    ])
  })
})

function shown(item: unknown): string {
  return typeof item === 'string' ? item : JSON.stringify(item)
}
