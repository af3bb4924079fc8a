/**
 * What every npm script starts with, under whatever Node the machine has (20 or newer) and with nothing installed: makes the
 * install match package-lock.json, sees that Java and Chromium are there, then hands over to Node 24.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromiumAdvice, findChromium } from './chromium.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const node = join(root, 'node_modules', '.bin', 'node')
const bin = (name) => join(root, 'node_modules', '.bin', name)
const NODE_MAJOR = 24
const NODE_MAJOR_MIN = 20
const JAVA_MAJOR_MIN = 17

/** What `npm test` runs; the scenarios take minutes each and have a command of their own. */
const everyDay = ['unit', 'parts', 'end-to-end'].flatMap((project) => ['--project', project])

/** Each command: what it needs beside Node, and what it runs, one after the other until one fails. */
const COMMANDS = {
  start: { needs: ['java'], runs: (args) => [[node, ['local/main.ts', ...args], { endsWithUs: true }]] },
  test: {
    needs: ['java', 'chromium'],
    runs: (args) => [...checks(), vitest(args.length > 0 ? args : everyDay)],
  },
  'test:scenarios': { needs: ['java'], runs: (args) => [vitest(['--project', 'scenarios', ...args])] },
  check: { needs: [], runs: () => checks() },
  'build:client': { needs: [], runs: (args) => [[node, ['local/build-client.ts', ...args]]] },
  'build:construct': { needs: [], runs: (args) => [[node, ['local/build-construct.ts', ...args]]] },
  restore: { needs: [], runs: (args) => [[node, ['local/restore.ts', ...args]]] },
  synth: { needs: [], runs: (args) => [synthesis(args)] },
  simulate: { needs: [], runs: (args) => [[node, ['tests/simulation/main.ts', ...args]]] },
  bench: { needs: ['java'], runs: (args) => [[node, ['tests/bench/main.ts', ...args]]] },
  'whatsapp-simulator': { needs: [], runs: (args) => [[node, ['local/whatsapp/main.ts', ...args]]] },
}

assertOwnNode()
const [command, ...args] = process.argv.slice(2)
const chosen = Object.hasOwn(COMMANDS, command ?? '') ? COMMANDS[command] : undefined
if (chosen === undefined) fail(`usage: node local/bootstrap.mjs ${Object.keys(COMMANDS).join('|')} [arguments]`)

if (!asksForHelp(args)) for (const need of chosen.needs) ({ java: needJava, chromium: needChromium })[need]()
install()
assertNode()
for (const [program, words, extra] of chosen.runs(args)) {
  const code = await run(program, words, extra)
  if (code !== 0) process.exit(code)
}

function vitest(words) {
  return [node, [realBin('vitest', 'vitest.mjs'), 'run', ...words]]
}

function checks() {
  const architecture = existsSync(join(root, 'tests', 'architecture'))
  return [
    [bin('tsc'), ['--noEmit', '-p', '.']],
    [bin('tsc'), ['--noEmit', '-p', 'console']],
    [bin('biome'), ['check', '--diagnostic-level=error', '.']],
    ...(architecture ? [vitest(['tests/architecture'])] : []),
  ]
}

/** The CDK's CLI knows cdk.json's context; `-q` keeps the template itself out of the terminal. */
function synthesis(words) {
  return [node, [realBin('aws-cdk', 'bin/cdk'), 'synth', '-q', '--no-lookups', ...words]]
}

/** The script of a tool, so that it runs under our Node and not under the one that its first line finds. */
function realBin(name, file) {
  return join(root, 'node_modules', name, file)
}

/** `npm ci` when what is installed is not what package-lock.json says; the stamp is written when an install is complete. */
function install() {
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  const stamp = join(root, 'node_modules', '.holdfast-install')
  if (existsSync(node) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  if (existsSync(node) && !existsSync(stamp) && matchesLock()) {
    writeFileSync(stamp, wanted)
    return
  }
  say('installing what package-lock.json names (npm ci): about a minute the first time')
  // What runs here are development dependencies, whatever NODE_ENV says. Warnings are about the Node that npm runs on, not about ours.
  const words = ['ci', '--include=dev', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']
  const done = spawnSync('npm', words, { cwd: root, stdio: 'inherit' })
  if (done.error !== undefined)
    fail(`npm could not be started (${done.error.message}): install npm, which comes with Node.js`)
  if (done.signal !== null) process.exit(130)
  if (done.status !== 0)
    fail(
      `npm ci failed with code ${done.status}; the reason is above. Once it is mended, the same command goes on from here`,
    )
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, wanted)
}

/** Somebody ran npm install or npm ci by hand: npm's own record of the installed tree says whether it is the same one. */
function matchesLock() {
  const record = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(record)) return false
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages ?? {}
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages ?? {}
  return Object.entries(locked).every(
    ([path, entry]) =>
      path === '' ||
      entry.optional === true ||
      entry.devOptional === true ||
      entry.peer === true ||
      installed[path]?.version === entry.version,
  )
}

/** What starts us only has to install Node 24 and hand over to it. */
function assertOwnNode() {
  if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN)
    fail(`Node.js ${NODE_MAJOR_MIN} or newer is needed to start, this is ${process.version}: see https://nodejs.org`)
}

function assertNode() {
  const found = spawnSync(node, ['--version'], { encoding: 'utf8' })
  const major = Number(/^v(\d+)/.exec(found.stdout ?? '')?.[1] ?? 0)
  if (major !== NODE_MAJOR) {
    fail(
      `node_modules/.bin/node is ${found.stdout?.trim() || 'missing'}, expected Node ${NODE_MAJOR}: delete node_modules and try again`,
    )
  }
}

function needJava() {
  if (javaMajor() >= JAVA_MAJOR_MIN) return
  aptInstall('openjdk-17-jre-headless')
  if (javaMajor() >= JAVA_MAJOR_MIN) return
  fail(
    `DynamoDB Local needs Java ${JAVA_MAJOR_MIN} or newer: install openjdk-17-jre-headless (Debian, Ubuntu) or openjdk@17 (Homebrew)`,
  )
}

function javaMajor() {
  const home = process.env.JAVA_HOME
  const found = spawnSync(home === undefined ? 'java' : join(home, 'bin', 'java'), ['-version'], { encoding: 'utf8' })
  return Number(/version "(\d+)/.exec(`${found.stderr ?? ''}${found.stdout ?? ''}`)?.[1] ?? 0)
}

/** The tests open pages in a browser. */
function needChromium() {
  if (findChromium() !== undefined) return
  aptInstall('chromium')
  if (findChromium() === undefined) fail(chromiumAdvice)
}

/** As root on Debian and its like; elsewhere the caller says what to install. */
function aptInstall(name) {
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0) return
  say(`installing ${name} (apt-get)`)
  const options = { stdio: 'inherit', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
  spawnSync('apt-get', ['update', '-q'], options)
  spawnSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', name], options)
}

/**
 * Signals go to the child, which knows how to end; at the terminal it has them already, as one of our process group. A child
 * that `endsWithUs` has a channel to us, whose end it sees also when we are killed; npm's end we look for ourselves.
 */
function run(program, words, { endsWithUs = false } = {}) {
  const child = spawn(program, words, {
    cwd: root,
    stdio: endsWithUs ? ['inherit', 'inherit', 'inherit', 'ipc'] : 'inherit',
    env: {
      ...process.env,
      PATH: `${join(root, 'node_modules', '.bin')}:${process.env.PATH ?? ''}`,
      ...(endsWithUs ? compileCache() : {}),
    },
  })
  const forward = (signal) => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, forward)
  if (endsWithUs) whenNpmEnds(() => child.kill('SIGTERM'))
  return new Promise((resolve) => {
    child.once('error', (error) => {
      say(`${program} could not be started: ${error.message}`)
      resolve(1)
    })
    child.once('exit', (code, signal) => {
      for (const each of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(each, forward)
      resolve(code ?? (signal === 'SIGINT' ? 130 : 1))
    })
  })
}

/** What V8 compiled is kept: half of what our processes do until they are ready. */
function compileCache() {
  return { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, 'node_modules', '.cache', 'node') }
}

/** npm, where it started us, is our grandparent (its shell stands between) or our parent. */
function whenNpmEnds(then) {
  if (process.env.npm_lifecycle_event === undefined) return
  const parent = spawnSync('ps', ['-o', 'ppid=', '-p', String(process.ppid)], { encoding: 'utf8' })
  const grandparent = Number(parent.stdout ?? '')
  const shell = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === shell && (!(grandparent > 1) || lives(grandparent))) return
    clearInterval(timer)
    then()
  }, 1_000)
  timer.unref()
}

function lives(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function asksForHelp(words) {
  return words.includes('--help') || words.includes('-h')
}

function say(message) {
  process.stderr.write(`holdfast: ${message}\n`)
}

function fail(message) {
  say(message)
  process.exit(1)
}
