import { describe, expect, it } from 'vitest'
import { readCommand } from '../../local/cli.ts'
import { nextSteps } from '../../local/next-steps.ts'

describe('the command line of npm start', () => {
  it.each([
    [['--bogus'], "Unknown option '--bogus'"],
    [['extra'], "Unexpected argument 'extra'"],
    [['--port', 'abc'], '--port: expected a whole number from 0 to 65535, found "abc"'],
    [['--port', '65536'], '--port: expected a whole number from 0 to 65535, found "65536"'],
    [['--workers', '0'], '--workers: expected a whole number from 1 to 50, found "0"'],
    [['--whatsapp', 'foo'], '--whatsapp: expected simulated, live or a ws:// URL, found "foo"'],
    [['--whatsapp-root', 'zz'], '--whatsapp-root: expected 64 hex digits'],
    [['--whatsapp-root', 'a'.repeat(64)], '--whatsapp-root: only goes with --whatsapp ws://HOST:PORT'],
  ])('refuses %j in one sentence', (args, reason) => {
    expect(readCommand(args, '/app')).toEqual({ kind: 'refused', reason })
  })

  it('takes another server with its root key', () => {
    const args = ['--whatsapp', 'ws://127.0.0.1:9', '--whatsapp-root', 'b'.repeat(64), '--state-dir', 'mine']
    expect(readCommand(args, '/app')).toMatchObject({
      kind: 'run',
      options: {
        stateDir: '/app/mine',
        whatsapp: { kind: 'server', url: 'ws://127.0.0.1:9', rootKey: 'b'.repeat(64) },
      },
    })
  })
})

describe('the next steps', () => {
  const urls = {
    httpUrl: 'http://127.0.0.1:4500',
    consoleUrl: undefined,
    liveUrl: 'ws://127.0.0.1:4500/live',
    sendsQueueUrl: 'http://127.0.0.1:1/0/sends',
    simulatorUrl: 'http://127.0.0.1:2',
    endpoint: 'http://127.0.0.1:1',
  }
  const demo = { businessProfileId: 'bp_1', apiKey: 'hf_1' }
  const place = { stateDir: '/a b/.holdfast', file: '/a b/.holdfast/local.json', root: '/a b' }

  it('link by the simulated phone, send, watch, and say where data lives and how to stop', () => {
    const text = nextSteps(urls, demo, place)
    expect(text).toContain('http://127.0.0.1:2/phones/94714515253/scan')
    expect(text).toContain("'/a b/node_modules/.bin/node' -e")
    expect(text).toContain('kept in /a b/.holdfast')
    expect(text).toContain('npm start -- --fresh forgets it')
    expect(text).toContain('Ctrl-C stops everything.')
  })

  it('ask for a real phone where there is no simulator', () => {
    const text = nextSteps({ ...urls, simulatorUrl: undefined }, demo, place)
    expect(text).toContain('-o qr.png')
    expect(text).not.toContain('/phones')
  })

  it('name the state folder that --fresh is about', () => {
    expect(nextSteps(urls, demo, { ...place, stateDir: '/tmp/it' })).toContain('--fresh --state-dir /tmp/it forgets it')
  })
})
