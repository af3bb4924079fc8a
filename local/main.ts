/** `npm start`: runs the product on this machine until Ctrl-C, and says what a person needs next. */
import { rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Command, readCommand, USAGE } from './cli.ts'
import { DEMO_PHONES, type Demo, demoPhones, demoProfile } from './demo.ts'
import type { LogLine } from './engine/engine-log.ts'
import type { Local } from './engine/options.ts'
import { startLocal } from './engine/start.ts'
import { nextSteps } from './next-steps.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const startedAt = performance.now()
const command = readCommand(process.argv.slice(2), root)

switch (command.kind) {
  case 'help':
    process.stdout.write(USAGE)
    break
  case 'refused':
    process.stderr.write(`${command.reason}\nSee npm start -- --help\n`)
    process.exitCode = 2
    break
  case 'run':
    process.exitCode = await run(command)
    // Sockets that somebody keeps open must not keep a stopped local mode alive.
    process.exit()
}

async function run({ options, verbose }: Extract<Command, { kind: 'run' }>): Promise<number> {
  const interrupted = interruption()
  let local: Local | undefined
  try {
    let demo: Demo | undefined
    const starting = startLocal({
      ...options,
      root,
      print: printer(verbose),
      progress,
      async alongside({ httpUrl, adminApiKey }) {
        demo = await demoProfile(options.stateDir, httpUrl, adminApiKey)
      },
    })
    local = await Promise.race([starting, interrupted.first.then(() => undefined)])
    if (local === undefined) {
      say('stopping')
      await starting.then(
        (started) => started.stop(),
        () => undefined,
      )
      return 130
    }
    if (demo === undefined) throw new Error('local mode is ready without its demo business profile')
    if (local.simulatorUrl !== undefined) await demoPhones(local.simulatorUrl)
    local.tellConsole({ apiKey: demo.apiKey, adminApiKey: local.adminApiKey, customer: DEMO_PHONES.customer })
    const file = join(options.stateDir, 'local.json')
    // Removed first: only a new file has the mode that is asked for.
    rmSync(file, { force: true })
    writeFileSync(file, `${JSON.stringify(description(local, demo), undefined, 2)}\n`, { mode: 0o600 })
    progress('ready')
    process.stdout.write(nextSteps(local, demo, { stateDir: options.stateDir, file, root }))

    const ended = await Promise.race([interrupted.first, local.crashed])
    if (ended === 'interrupted') {
      say('stopping: workers hand over what they hold (Ctrl-C again kills them)')
      await local.stop()
      say('stopped')
      return 0
    }
    say(`${ended.part} ended: ${ended.why}`)
    await local.stop().catch(() => undefined)
    return 1
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    await local?.stop().catch(() => undefined)
    return 1
  }
}

/**
 * The first signal asks for a graceful stop, and so does the end of what started this process; the second ends this process,
 * and what watches its children then ends them.
 */
function interruption(): { readonly first: Promise<'interrupted'> } {
  const { promise: first, resolve } = Promise.withResolvers<'interrupted'>()
  let count = 0
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      count += 1
      if (count === 1) resolve('interrupted')
      else process.exit(130)
    })
  }
  process.once('disconnect', () => resolve('interrupted'))
  process.channel?.unref()
  return { first }
}

/** Everything at GET /_local/logs; at the terminal only what somebody should look at, unless --verbose. */
function printer(verbose: boolean): (line: LogLine) => void {
  return ({ level, part, message }) => {
    if (verbose || level === 'error')
      process.stderr.write(`${seconds()} ${level === 'info' ? '' : `${level} `}[${part}] ${message}\n`)
  }
}

function progress(message: string): void {
  process.stdout.write(`${seconds()} ${message}\n`)
}

function say(message: string): void {
  process.stderr.write(`${seconds()} ${message}\n`)
}

function seconds(): string {
  return `${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s`
}

/** `local.json`: what tools and tests need to find this run. */
function description(local: Local, demo: Demo): object {
  return {
    httpUrl: local.httpUrl,
    liveUrl: local.liveUrl,
    consoleUrl: local.consoleUrl ?? null,
    sendsQueueUrl: local.sendsQueueUrl,
    sendsFifoQueueUrl: local.sendsFifoQueueUrl,
    adminApiKey: local.adminApiKey,
    demo,
    simulatorUrl: local.simulatorUrl ?? null,
    aws: { region: local.region, endpoints: { default: local.endpoint }, credentials: local.rootCredentials },
  }
}
