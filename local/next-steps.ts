/** What a person does next: commands that work as they stand, also when all of them are pasted at once. */
import { relative } from 'node:path'
import { DEMO_PHONES, type Demo } from './demo.ts'
import type { Local } from './engine/options.ts'

export interface Place {
  readonly stateDir: string
  /** `local.json`. */
  readonly file: string
  /** The repository. */
  readonly root: string
}

type Urls = Pick<Local, 'httpUrl' | 'liveUrl' | 'consoleUrl' | 'sendsQueueUrl' | 'simulatorUrl' | 'endpoint'>

export function nextSteps(local: Urls, demo: Demo, { stateDir, file, root }: Place): string {
  const json = `-H 'Content-Type: application/json'`
  const connection = `${local.httpUrl}/connections/$ID`
  const key = '-H "$KEY"'
  const state = relative(root, stateDir)
  const options = state === '.holdfast' ? '' : ` --state-dir ${quoted(stateDir)}`
  const lines = [
    '',
    ...(local.consoleUrl === undefined ? [] : [`  Console       ${local.consoleUrl}   <- open this in a browser`]),
    `  REST API      ${local.httpUrl}   (the contract: ${local.httpUrl}/openapi.json)`,
    `  Live API      ${local.liveUrl}`,
    `  Sends queue   ${local.sendsQueueUrl}`,
    ...(local.simulatorUrl === undefined ? [] : [`  Simulator     ${local.simulatorUrl}`]),
    `  AWS endpoint  ${local.endpoint}   (calls by role: ${local.endpoint}/_local/calls)`,
    `  Demo profile  ${demo.businessProfileId}, X-Api-Key: ${demo.apiKey}`,
    `  All of it     ${file}`,
    '',
    'Create a connection:',
    `  KEY='X-Api-Key: ${demo.apiKey}'`,
    `  ID=$(curl -s ${local.httpUrl}/connections ${key} ${json} -d '{"label":"Primary Device","pairing":"qr"}' | sed 's/.*"connectionId":"\\([^"]*\\)".*/\\1/'); echo $ID`,
    '',
    ...(local.simulatorUrl === undefined
      ? scanWithPhone(connection)
      : scanWithSimulator(connection, local.simulatorUrl)),
    '',
    'Send a message, and see what became of it:',
    `  curl -s ${connection}/messages ${key} ${json} -H "Idempotency-Key: $(date +%s)" -d '{"to":"${DEMO_PHONES.customer}","type":"text","text":{"body":"Hello"}}'; sleep 2; curl -s ${connection}/messages ${key}`,
    '',
    'Watch it live:',
    `  TICKET=$(curl -s -X POST ${local.httpUrl}/live/tickets ${key} | sed 's/.*"ticket":"\\([^"]*\\)".*/\\1/')`,
    `  ${quoted(`${root}/node_modules/.bin/node`)} -e 'new WebSocket(process.argv[1]).onmessage = ({ data }) => console.log(data)' "${local.liveUrl}?ticket=$TICKET"`,
    '',
    `Everything is kept in ${stateDir} for the next start; npm start -- --fresh${options} forgets it.`,
    'Ctrl-C stops everything.',
    '',
  ]
  return `${lines.join('\n')}\n`
}

/** The first code comes a moment after the connection, and the device logs in once more after the scan. */
function scanWithSimulator(connection: string, simulatorUrl: string): readonly string[] {
  const phone = DEMO_PHONES.business.slice(1)
  return [
    'Let a simulated phone scan its QR:',
    `  curl -sf --retry 10 --retry-delay 1 --retry-all-errors ${connection}/qr -H "$KEY" -H 'Accept: application/json' | sed 's/.*\\("qr":"[^"]*"\\).*/{\\1}/' | curl -s ${simulatorUrl}/phones/${phone}/scan -H 'Content-Type: application/json' -d @-; sleep 4; curl -s ${connection} -H "$KEY"`,
  ]
}

function scanWithPhone(connection: string): readonly string[] {
  return [
    'Get its QR, and scan it with WhatsApp on your phone (Linked devices) within a minute:',
    `  curl -sf --retry 10 --retry-delay 1 --retry-all-errors ${connection}/qr -H "$KEY" -H 'Accept: image/png' -o qr.png; curl -s ${connection} -H "$KEY"`,
  ]
}

/** As a POSIX shell takes it for one word. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
