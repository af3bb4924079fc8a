/** EventBridge's PutEvents; the buses are the events part's. */
import { isObject, type JsonObject } from '../template/json.ts'
import { jsonAnswer } from './answers.ts'
import { type FrontCall, type FrontService, type Protocol, ServiceError } from './call.ts'
import { parse } from './dynamodb.ts'

const PROTOCOL: Protocol = { kind: 'json', version: '1.1', accessDenied: 'AccessDeniedException', deniedStatus: 400 }
const ENTRIES_MAX = 10

/** @param putEvents takes the entries as they came; each names its bus, or means the default one */
export function eventsService(
  putEvents: (entries: readonly JsonObject[]) => unknown,
  region: string,
  account: string,
): FrontService {
  const entriesOf = (call: FrontCall): readonly JsonObject[] => {
    if (call.operation !== 'PutEvents')
      throw new ServiceError('UnknownOperationException', `Local mode does not know events:${call.operation}`)
    const entries = parse(call)['Entries']
    if (!Array.isArray(entries) || entries.length === 0 || entries.length > ENTRIES_MAX) {
      throw new ServiceError('ValidationException', `Entries must have 1 to ${ENTRIES_MAX} members`)
    }
    return entries.filter(isObject)
  }
  return {
    protocol: PROTOCOL,
    demands: (call) =>
      entriesOf(call).map((entry) => {
        const bus = typeof entry['EventBusName'] === 'string' ? entry['EventBusName'] : 'default'
        const resource = bus.startsWith('arn:') ? bus : `arn:aws:events:${region}:${account}:event-bus/${bus}`
        return { action: 'events:PutEvents', resource, context: {} }
      }),
    handle: async (call) => jsonAnswer(PROTOCOL, putEvents(entriesOf(call))),
  }
}
