import { definitionOf, type EventName, eventNames, eventSource, exampleOf } from './events.ts'

/** `docs/events.md`, whole. A test compares the page with it. */
export function renderEvents(): string {
  const carriers = (name: EventName): string => {
    if (name === 'webhook-test') return 'webhooks'
    return definitionOf(name).subject === 'webhook' ? 'EventBridge, webhooks' : 'live, EventBridge, webhooks'
  }
  return [
    '# Events',
    '',
    'Rendered from `shared/api/events.ts`, the schemas that everything is checked against; a test holds the two together.',
    '',
    '| event | happens when | carried by |',
    '| --- | --- | --- |',
    ...eventNames.map((name) => `| [\`${name}\`](#${name}) | ${definitionOf(name).summary} | ${carriers(name)} |`),
    '',
    '## What they have in common',
    '',
    '`{ id, event, at, businessProfileId, connectionId, version, data }`. `id` follows from what happened, so that an event that is',
    'delivered twice has the same one: remember ids, or merge by `version`, which rises with every change of the item in `data`.',
    'Delivery is at least once. Everything comes from the streams of the tables: what is stored is announced, also when whatever',
    'announces it was killed or its target was down.',
    '',
    '`data` of a connection never holds a QR code or a pairing code, only until when there is one: events pass queues, archives',
    'and logs. `GET /connections/{connectionId}/qr` and the live API give them. Content above 200 KB is left out and `data.truncated` is',
    'true; the REST API gives it.',
    '',
    '## EventBridge',
    '',
    `The bus is the stack output \`EventBusName\`, and the SSM parameter \`/holdfast/<stage>/event-bus-name\`. \`source\` is \`${eventSource}\`,`,
    '`detail-type` the name of the event, `detail` the event as below. EventBridge keeps no order: merge by `version`. A rule for',
    "one business profile's received messages:",
    '',
    '```json',
    JSON.stringify(
      {
        source: [eventSource],
        'detail-type': ['message-received'],
        detail: { businessProfileId: [exampleOf('message-received').businessProfileId] },
      },
      undefined,
      2,
    ),
    '```',
    '',
    'Whoever may subscribe to the bus (IAM) sees the events of all business profiles.',
    '',
    '## Webhooks',
    '',
    'The body of the request is the event as below; see [webhooks.md](webhooks.md).',
    '',
    ...eventNames.flatMap((name) => [
      `## ${name}`,
      '',
      definitionOf(name).summary,
      '',
      '```json',
      JSON.stringify(exampleOf(name), undefined, 2),
      '```',
      '',
    ]),
  ].join('\n')
}
