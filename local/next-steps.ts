/** What a person does next: commands that work as they stand. */
import type { Demo } from './demo.ts'
import type { Local } from './engine/options.ts'

export function nextSteps(local: Local, demo: Demo, file: string): string {
  const key = `-H 'X-Api-Key: ${demo.apiKey}'`
  const json = `-H 'Content-Type: application/json'`
  const connection = `${local.httpUrl}/connections/$ID`
  const lines = [
    '',
    `  REST API      ${local.httpUrl}`,
    `  Live API      ${local.liveUrl}`,
    `  Sends queue   ${local.sendsQueueUrl}`,
    ...(local.simulatorUrl === undefined ? [] : [`  Simulator     ${local.simulatorUrl}`]),
    `  AWS endpoint  ${local.endpoint}   (calls by role: ${local.controlUrl}/calls)`,
    `  Demo profile  ${demo.businessProfileId}, X-Api-Key: ${demo.apiKey}`,
    `  All of it     ${file}`,
    '',
    'Create a connection:',
    `  ID=$(curl -s ${local.httpUrl}/connections ${key} ${json} -d '{"label":"Primary Device","pairing":"qr"}' | sed 's/.*"connectionId":"\\([^"]*\\)".*/\\1/'); echo $ID`,
    '',
    local.simulatorUrl === undefined
      ? 'Get its QR, and scan it with WhatsApp (Linked devices):'
      : 'Get its QR, and let a simulated phone scan it:',
    ...(local.simulatorUrl === undefined
      ? [`  curl -s ${connection}/qr ${key} -H 'Accept: image/png' -o qr.png`]
      : [
          `  QR=$(curl -s ${connection}/qr ${key} -H 'Accept: application/json' | sed 's/.*"qr":"\\([^"]*\\)".*/\\1/')`,
          `  curl -s ${local.simulatorUrl}/phones ${json} -d '{"phoneNumber":"+94714515253"}'; curl -s ${local.simulatorUrl}/phones/94714515253/scan ${json} -d "{\\"qr\\":\\"$QR\\"}"`,
        ]),
    '',
    'Send a message:',
    ...(local.simulatorUrl === undefined
      ? []
      : [`  curl -s ${local.simulatorUrl}/phones ${json} -d '{"phoneNumber":"+94770000001"}'`]),
    `  curl -s ${connection}/messages ${key} ${json} -H "Idempotency-Key: $(date +%s)" -d '{"to":"+94770000001","type":"text","text":{"body":"Hello"}}'`,
    '',
    'Ctrl-C stops everything.',
    '',
  ]
  return `${lines.join('\n')}\n`
}
