import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { WA_CERT_DETAILS } from '@whiskeysockets/baileys'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startWhatsAppSimulator } from '../../local/whatsapp/server.ts'
import { Client, memoryAuth, Simulation, silenceLibsignal } from './client.ts'

const ALICE = '15550100001'
const BOB = '15550100002'
const MAIN = new URL('../../local/whatsapp/main.ts', import.meta.url).pathname

describe('with a state directory', () => {
  let stateDir: string

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'whatsapp-simulator-'))
  })

  afterEach(() => rm(stateDir, { recursive: true }))

  test('linked devices, sessions, inboxes and what waits survive a restart of the server', async () => {
    const before = await Simulation.start({ stateDir })
    await before.phone(ALICE, { name: 'Alice' })
    await before.phone(BOB)
    const linked = await before.linked(ALICE)
    await before.send(BOB, ALICE, 'hello')
    await linked.text('hello')
    await linked.sendText(BOB, 'hello yourself')
    await before.inbox(BOB, 1)
    await linked.stop()
    const waiting = await before.send(BOB, ALICE, 'while you were away')
    const rootKey = before.server.rootPublicKeyHex
    await before.close()

    const after = await Simulation.start({ stateDir })
    expect(after.server.rootPublicKeyHex).toBe(rootKey)
    const client = after.track(linked.again(after.server.url))
    expect((await client.text('while you were away')).key.id).toBe(waiting)
    await client.sendText(BOB, 'in the same session')
    const { messages, undecryptable } = await after.inbox(BOB, 2)
    expect(messages.map(({ text }) => text)).toEqual(['hello yourself', 'in the same session'])
    expect(undecryptable).toEqual([])
    expect(await after.stats()).toMatchObject({ decryptFailures: 0, pairings: 0, loginsTotal: 1 })
    await after.close()
  })

  test('a device that was unlinked stays unlinked', async () => {
    const before = await Simulation.start({ stateDir })
    await before.phone(ALICE)
    const linked = await before.linked(ALICE)
    await before.call('DELETE', `/phones/${ALICE}/devices/1`)
    await before.close()
    const after = await Simulation.start({ stateDir })
    expect(await after.track(linked.again(after.server.url)).closed()).toMatchObject({ statusCode: 401 })
    await after.close()
  })

  test('a torn state file is an error that names it, not an empty state', async () => {
    const before = await Simulation.start({ stateDir })
    await before.phone(ALICE)
    await before.close()
    expect(await readdir(join(stateDir, 'phones'))).toEqual([`${ALICE}.json`])
    await writeFile(join(stateDir, 'phones', `${ALICE}.json`), '{"name":"Al')
    await expect(startWhatsAppSimulator({ port: 0, stateDir })).rejects.toThrow(`phones/${ALICE}.json`)
  })
})

describe('on the command line', () => {
  test('prints one line when it listens, serves clients that trust its root key, and stops at SIGTERM', async () => {
    silenceLibsignal()
    const child = spawn(process.execPath, [MAIN, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines: string[] = []
    const output = createInterface(child.stdout)
    output.on('line', (line) => lines.push(line))
    await once(output, 'line')
    const ready = JSON.parse(lines[0] ?? '') as { event: string; url: string; controlUrl: string; rootKey: string }
    expect(ready).toMatchObject({ event: 'ready', rootKey: expect.stringMatching(/^[0-9a-f]{64}$/) })
    WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(ready.rootKey, 'hex')
    await fetch(`${ready.controlUrl}/phones`, { method: 'POST', body: JSON.stringify({ phoneNumber: `+${ALICE}` }) })
    const client = new Client(ready.url, memoryAuth())
    const scan = await fetch(`${ready.controlUrl}/phones/${ALICE}/scan`, {
      method: 'POST',
      body: JSON.stringify({ qr: await client.qr() }),
    })
    expect(await scan.json()).toEqual({ device: `${ALICE}:1` })
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(lines).toHaveLength(1)
    await client.stop()
  })

  test('an unknown option is refused', async () => {
    const child = spawn(process.execPath, [MAIN, '--prot', '1'], { stdio: ['ignore', 'ignore', 'pipe'] })
    let errors = ''
    child.stderr.on('data', (data: Buffer) => {
      errors += data.toString()
    })
    expect(await once(child, 'exit')).toEqual([1, null])
    expect(errors).toContain('--prot')
  })
})
