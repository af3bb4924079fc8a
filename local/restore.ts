/**
 * `npm run restore -- --stage production --table auth=auth-restored --table connections=connections-restored …`: copies tables that
 * point-in-time recovery restored under other names back to the live ones. The procedure is in docs/operations.md.
 */
import { parseArgs } from 'node:util'
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { z } from 'zod'
import { documentClient, objectClient } from '../shared/aws/clients.ts'
import { type RestorableTable, restorableTables, restore } from '../shared/aws/restoring.ts'

const usage = `npm run restore -- --stage STAGE --table NAME=RESTORED_TABLE … [--snapshots-from BUCKET] [--region REGION]
  NAME: ${restorableTables.join(', ')}`
/** A lease and its margin. */
const watchMs = 14_000

const name = z.string().min(1)
const storesSchema = z.object({
  tables: z.object({
    accounts: name,
    webhooks: name,
    media: name,
    messages: name,
    auth: name,
    connections: name,
    fleet: name,
  }),
  authBucket: name,
})

function options() {
  const { values } = parseArgs({
    options: {
      stage: { type: 'string' },
      table: { type: 'string', multiple: true },
      'snapshots-from': { type: 'string' },
      region: { type: 'string' },
    },
  })
  const { stage, table = [], region, 'snapshots-from': snapshotsFrom } = values
  const pairs = table.map((text) => text.split('=') as [string, string | undefined])
  const wrong = pairs.find(([name, restored]) => !(restorableTables as readonly string[]).includes(name) || !restored)
  if (stage === undefined || pairs.length === 0 || wrong !== undefined) throw new Error(`expected ${usage}`)
  const tables: Partial<Record<RestorableTable, string>> = Object.fromEntries(pairs)
  return { stage, tables, snapshotsFrom, client: region === undefined ? {} : { region } }
}

async function main(): Promise<void> {
  const { stage, tables, snapshotsFrom, client } = options()
  const { Parameter } = await new SSMClient(client).send(new GetParameterCommand({ Name: `/holdfast/${stage}/stores` }))
  const live = storesSchema.parse(JSON.parse(Parameter?.Value ?? '{}'))
  const documents = documentClient(client)
  const objects = objectClient(client)
  say(`watching for living workers of stage ${stage} (${watchMs / 1_000} s)`)
  const outcome = await restore({
    from: {
      documents,
      tables,
      ...(snapshotsFrom === undefined ? {} : { snapshots: { objects, bucket: snapshotsFrom } }),
    },
    to: { documents, tables: live.tables, snapshots: { objects, bucket: live.authBucket } },
    watchMs,
  })
  if (outcome.kind === 'workers_alive') {
    say(`nothing was touched: workers are alive (${outcome.workers.join(', ')}). Scale the service to 0 first`)
    process.exitCode = 2
    return
  }
  for (const [table, { copied, kept }] of Object.entries(outcome.tables))
    say(`${table}: ${copied} copied, ${kept} kept`)
  say(`partitions are at epoch ${outcome.epoch}`)
  for (const connection of outcome.withoutSnapshot) say(`no snapshot of ${connection}: it needs a new scan`)
}

function say(text: string): void {
  process.stderr.write(`holdfast: ${text}\n`)
}

await main().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
})
