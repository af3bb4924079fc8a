import type { Mutation } from './mutations.ts'

export interface KnownWire {
  readonly kind: Mutation['kind']
  readonly name: RegExp
  readonly why: string
}

/** Grants of the roles of functions (or of the connector's task), on a resource that is named so, for these actions. */
const grants = (roles: readonly string[], on: string, actions: readonly string[], why: string): readonly KnownWire[] =>
  roles.flatMap((role) =>
    actions.map((action) => ({
      kind: 'grant' as const,
      name: new RegExp(`/${role}RoleDefaultPolicy\\S* \\d+ \\S*${on}\\S* ${action}$`),
      why,
    })),
  )

/** Wires whose removal no run on one machine notices, one by one, and why they are needed all the same. */
export const knownWires: readonly KnownWire[] = [
  { kind: 'grant', name: / logs:/, why: 'logs go to the terminal on one machine' },
  { kind: 'grant', name: / ecr:/, why: 'there is no registry on one machine' },

  // ── What AWS asks for, and local mode does not ──────────────────────────────────────────────────────────────────────
  ...grants(
    [
      'LivePublishConnections',
      'LivePublishMessages',
      'LiveSnapshot',
      'EventsConnections',
      'EventsMessages',
      'MediaEnd',
    ],
    'StreamArn',
    ['dynamodb:ListStreams'],
    'Lambda demands it of the role of every mapping of a stream; local mode reads the stream that the mapping names',
  ),
  ...grants(
    ['RestMedia', 'ConnectorTaskTask'],
    'MediaBucket',
    ['s3:ListBucket'],
    'without it S3 says of a missing object that access is denied (403); S3 on one machine says 404 in any case',
  ),
  {
    kind: 'route',
    name: /\/RestPreflight\w* OPTIONS /,
    why: 'the default route has the same function, which answers the same; the documentation of API Gateway demands a route of its own',
  },

  // ── What happens after failures ─────────────────────────────────────────────────────────────────────────────────────
  ...grants(
    ['LivePublishConnections', 'LivePublishMessages', 'LiveSnapshot'],
    'LivePublishDeadLetters',
    ['sqs:SendMessage'],
    'Lambda puts there what a stream gave up after all its tries: the functions put aside themselves what fails',
  ),
  ...grants(
    ['EventsConnections', 'EventsMessages'],
    'EventsDeadLetters',
    ['sqs:SendMessage'],
    'Lambda puts there what a stream gave up, which it does after twelve hours',
  ),
  ...grants(
    ['LivePublishMessages'],
    'LivePublishRetries',
    ['sqs:SendMessage'],
    'for frames of messages that could not be published, and for sockets that could be neither posted to nor closed',
  ),
  ...grants(
    ['LivePublishRetry'],
    'LiveTable',
    ['dynamodb:Query', 'dynamodb:PutItem', 'dynamodb:DeleteItem'],
    'for frames that could not be published because the table did not answer; what runs put aside is sockets to close',
  ),
  ...grants(
    ['LivePublishMessages', 'LiveSnapshot'],
    'LiveTable',
    ['dynamodb:DeleteItem'],
    'for a socket that was gone before its change or its snapshot came, and of whose end nobody was told',
  ),
  ...grants(
    ['WebhooksDeliver'],
    'EventsRetries',
    ['sqs:SendMessage'],
    'for the news of a paused webhook, where the bus refuses it in that moment',
  ),
  ...grants(
    ['RestMessages', 'SendsDispatch'],
    'index/waiting',
    ['dynamodb:Query'],
    'counts the waiting sends of a connection that is at its limit of 5,000 before one more is refused',
  ),
  ...grants(
    ['WatchdogsSweep'],
    'MessagesTable',
    ['dynamodb:UpdateItem'],
    'for sends and operations that no worker ended within a minute of their deadline, and for lost doorbells',
  ),
  ...grants(
    ['WatchdogsSweep'],
    'QueuesPartition',
    ['sqs:SendMessage'],
    'for sends that nobody rang for, and those whose doorbell led to nothing for five minutes',
  ),
  ...grants(
    ['RestImports'],
    'AccountsTable',
    ['dynamodb:DeleteItem'],
    'frees a device whose import broke off, or whose connection has gone, for another import',
  ),
  ...grants(
    ['RestImports'],
    'ConnectionsTable',
    ['dynamodb:GetItem'],
    'whether the connection is still linked that an earlier import of the same device made',
  ),
  ...grants(
    ['ConnectorTaskTask'],
    'FleetTable',
    ['dynamodb:DeleteItem'],
    'for rows of workers that are dead for long; a run ends before',
  ),
  ...grants(
    ['ConnectorTaskTask'],
    'FleetTable',
    ['dynamodb:ConditionCheckItem'],
    'takes a partition from an owner whose row is gone, on the condition that it is',
  ),
  ...grants(
    ['ConnectorTaskTask'],
    'MediaBucket',
    ['s3:AbortMultipartUpload'],
    'for an upload that breaks off; without it S3 keeps the parts for a day',
  ),

  // ── What needs a setting, a caller or a time that no run has ────────────────────────────────────────────────────────
  ...grants(
    ['LiveMessage'],
    'LiveTable',
    ['dynamodb:UpdateItem'],
    'for a client that changes what it hears of: those of the runs say it as they connect',
  ),
  ...grants(
    ['RestImports'],
    'ConnectionsTable',
    ['dynamodb:Query'],
    'counts the connections of a business profile that has a limit of them',
  ),
  ...grants(
    ['SendsDispatch'],
    'AccountsTable',
    ['dynamodb:UpdateItem'],
    'counts the sends of a business profile that has a limit a day',
  ),
  ...grants(['RestDeadLetters'], 'QueuesSends', ['sqs:SendMessage'], 'puts back what an operator redrives'),
  ...grants(['RestHealth'], 'FleetTable', ['dynamodb:Query'], 'for whoever asks with the admin key'),
  ...grants(['RestHealth'], 'DeadLetters', ['sqs:GetQueueAttributes'], 'for whoever asks with the admin key'),
  ...grants(
    ['ConsoleDeploy'],
    'ConsoleFiles',
    ['s3:DeleteObject'],
    'for files that a later version of the console does not have, and for all when the stack goes',
  ),
  {
    kind: 'mapping',
    name: /\/MediaEndDynamoDBEventSource/,
    why: 'objects go with rows that have ended by age, after days; the rule of the bucket deletes them in any case',
  },
]

export const knownWire = ({ kind, name }: Pick<Mutation, 'kind' | 'name'>): KnownWire | undefined =>
  knownWires.find((wire) => wire.kind === kind && wire.name.test(name))
