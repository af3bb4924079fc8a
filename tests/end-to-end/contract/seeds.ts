import { type Frame, type Phones, type Rest, rest } from '../callers.ts'
import type { Endpoint } from '../endpoint.ts'
import type { RunningPlace } from '../place.ts'
import { png } from '../sample-media.ts'
import type { Story } from '../story.ts'
import type { Good } from './requests.ts'
import type { Pools } from './values.ts'

export interface Seeds {
  /** Of one operation: what surely is answered with success. */
  readonly good: Readonly<Record<string, Good>>
  /** For everything that only looks, or does no harm. */
  readonly pools: Pools
  /** Of operations that end what they name: things that nobody else needs. */
  readonly own: Readonly<Record<string, Pools>>
}

const customer = '+4915112345678'
const business = '+94714515253'
const bare = (groupId: string) => groupId.replace('@g.us', '')

async function made(what: string, answer: ReturnType<Rest['post']>) {
  const { status, body } = await answer
  if (status >= 300) throw new Error(`${what}: ${status} ${JSON.stringify(body)}`)
  return body
}

/** Everything that a call can name, in the profile of a story whose phone is linked. */
export async function seed(place: RunningPlace, story: Story, phones: Phones, endpoint: Endpoint): Promise<Seeds> {
  const { tenant, admin, connectionId } = story
  const path = `/connections/${connectionId}`
  const connection = async (label: string): Promise<string> =>
    (await made('connection', tenant.post('/connections', { label, pairing: 'qr' }))).connectionId
  const labels = ['Shown', 'Pairing', 'Logged out', 'Deleted', 'Restarted', 'Changed', 'Spare', 'Another spare']
  const [shown, pairing, loggedOut, deleted, restarted, changed, ...spare] = await Promise.all(labels.map(connection))
  const offered = ({ connectionId: of, data }: Frame) => of === shown && data.qr !== undefined
  await story.watcher.next('a QR code to show', offered)

  const medium = async (): Promise<string> => {
    const registered = await made(
      'medium',
      tenant.post('/media', { contentType: png.contentType, size: png.bytes.length }),
    )
    const { url, headers } = registered.upload
    const put = await fetch(url, { method: 'PUT', headers, body: new Uint8Array(png.bytes) })
    if (put.status !== 200) throw new Error(`upload: ${put.status}`)
    return registered.mediaId
  }
  const [kept, removed] = await Promise.all([medium(), medium()])
  const send = async (content: object): Promise<string> =>
    (await made('send', tenant.post(`${path}/messages`, { to: customer, ...content }))).messageId
  const text = { type: 'text', text: { body: 'hello' } }
  const sendAt = new Date(Date.now() + 86_400_000).toISOString()
  const [sent, pictured, cancelled, alsoCancelled] = await Promise.all([
    send(text),
    send({ type: 'image', image: { id: kept } }),
    send({ ...text, sendAt }),
    send({ ...text, sendAt }),
  ])
  await phones.send(customer, business, 'Is anybody there?')
  const received = await story.watcher.next('the question', ({ event }) => event === 'message-received')
  const messages = [sent, pictured, received.data.messageId]

  const webhook = async (): Promise<string> =>
    (await made('webhook', tenant.post('/webhooks', { url: endpoint.url, events: ['webhook-test'] }))).webhookId
  const [hook, endedHook, otherHook] = [await webhook(), await webhook(), await webhook()]
  const key = async (): Promise<string> => (await made('key', tenant.post('/api-keys', { label: 'spare' }))).keyId
  const [rotated, revoked, otherKey] = [await key(), await key(), await key()]

  const profile = async (): Promise<string> =>
    (await made('profile', admin.post('/admin/business-profiles', { name: 'Other' }))).businessProfileId
  const [other, ended, gone] = [await profile(), await profile(), await profile()]
  const keyOf = async (): Promise<string> =>
    (await made('key', admin.post(`/admin/business-profiles/${other}/api-keys`, { label: 'spare' }))).keyId
  const [otherRotated, otherRevoked] = [await keyOf(), await keyOf()]
  const ending = await made('erasure', admin.delete(`/admin/business-profiles/${gone}`))
  const erasing = await made('erasure', tenant.post('/erasures', { contact: '+4915199999999' }))

  const waiting = { prefer: 'wait=20' }
  /** An operation that has ended, in the call or after it. */
  const asked = async (what: string, at: string, body: object) => {
    const operation = await made(what, tenant.post(path + at, body, waiting))
    if (operation.status !== 'pending') return operation
    const completed = ({ event, data }: Frame) =>
      event === 'operation-completed' && data.operationId === operation.operationId
    return (await story.watcher.next(what, completed)).data
  }
  const checked = await asked('check', '/contacts/check', { phoneNumbers: [customer] })
  const newGroup = { subject: 'Tea', participants: [customer] }
  const group = (await asked('group', '/groups', newGroup)).result.groupId
  const simulator = rest(place.simulatorUrl)
  await made('group', simulator.post('/groups', { by: customer.slice(1), subject: 'Coffee', participants: [] }))

  const ofConnection = { connectionId }
  const named = (id: string | undefined): Good => ({ path: { connectionId: id ?? '' } })
  const message = (messageId: string): Good => ({ path: { connectionId, messageId } })
  const inGroup: Good = { path: { connectionId, groupId: bare(group) } }
  const people: Good = { ...inGroup, body: { participants: [customer] } }
  const ofContact: Good = { path: { connectionId, contact: customer } }
  const ofHook: Good = { path: { webhookId: hook } }
  const ofOther: Good = { path: { businessProfileId: other } }
  const queue: Good = { path: { queue: 'sends' } }
  const good: Readonly<Record<string, Good>> = {
    createConnection: { body: { label: 'Another' } },
    getConnection: { path: ofConnection },
    updateConnection: { ...named(changed), body: { label: 'Changed' } },
    getConnectionQr: named(shown),
    pairConnection: named(pairing),
    restartConnection: named(restarted),
    logoutConnection: named(loggedOut),
    deleteConnection: named(deleted),
    sendMessage: { path: ofConnection, body: { to: customer, ...text } },
    listMessages: { path: ofConnection },
    getMessage: message(sent),
    cancelMessage: message(cancelled),
    readMessage: message(received.data.messageId),
    setChatPresence: { path: ofConnection, body: { to: customer, presence: 'typing' } },
    getMedia: { path: { mediaId: kept } },
    deleteMedia: { path: { mediaId: removed } },
    getMessageMedia: message(pictured),
    getOperation: { path: { connectionId, operationId: checked.operationId } },
    checkContacts: { path: ofConnection, body: { phoneNumbers: [customer] } },
    getContact: ofContact,
    subscribePresence: ofContact,
    listBlocked: { path: ofConnection },
    blockContact: { path: ofConnection, body: { contact: '+4915199999999' } },
    unblockContact: { path: { connectionId, contact: '+4915199999999' } },
    listGroups: { path: ofConnection },
    createGroup: { path: ofConnection, body: newGroup },
    joinGroup: { path: ofConnection },
    getGroup: inGroup,
    updateGroup: { ...inGroup, body: { subject: 'Coffee' } },
    leaveGroup: inGroup,
    setGroupPicture: { ...inGroup, body: { jpeg: '/9j/4AAQSkZJRgABAQAAAQABAAD/' } },
    removeGroupPicture: inGroup,
    addParticipants: people,
    removeParticipants: people,
    promoteParticipants: people,
    demoteParticipants: people,
    getGroupInvite: inGroup,
    revokeGroupInvite: inGroup,
    createBusinessProfile: { body: { name: 'One more' } },
    getBusinessProfile: ofOther,
    updateBusinessProfile: { ...ofOther, body: { name: 'Renamed' } },
    deleteBusinessProfile: { path: { businessProfileId: ended } },
    getBusinessProfileErasure: { path: { businessProfileId: gone, erasureId: ending.erasureId } },
    listBusinessProfileAudit: ofOther,
    createApiKey: { ...ofOther, body: {} },
    listApiKeys: ofOther,
    rotateApiKey: { path: { businessProfileId: other, keyId: otherRotated } },
    revokeApiKey: { path: { businessProfileId: other, keyId: otherRevoked } },
    createOwnApiKey: { body: {} },
    rotateOwnApiKey: { path: { keyId: rotated } },
    revokeOwnApiKey: { path: { keyId: revoked } },
    startErasure: { body: { contact: '+4915199999999' } },
    getErasure: { path: { erasureId: erasing.erasureId } },
    peekDeadLetters: queue,
    redriveDeadLetters: queue,
    dropDeadLetters: queue,
    createWebhook: { body: { url: endpoint.url, events: ['webhook-test'] } },
    getWebhook: ofHook,
    updateWebhook: { ...ofHook, body: { label: 'Hooks' } },
    deleteWebhook: { path: { webhookId: endedHook } },
    rotateWebhookSecret: ofHook,
    testWebhook: ofHook,
    listWebhookDeliveries: ofHook,
    listWebhookDeadLetters: ofHook,
    replayWebhook: ofHook,
    apiPageFile: { path: { file: 'swagger-ui.css' } },
  }
  // None of those that are to succeed once: other calls of the run might end them before.
  const expendable: Pools = { connectionId: [...spare, 'con_none'] }
  return {
    good,
    pools: {
      connectionId: [connectionId, shown, 'con_none'],
      messageId: [...messages, 'msg_none'],
      message_id: messages,
      mediaId: [kept, 'med_none'],
      id: [kept],
      webhookId: [hook, otherHook, 'whk_none'],
      businessProfileId: [other, 'bp_none'],
      keyId: [otherKey, 'none'],
      erasureId: [erasing.erasureId, ending.erasureId, 'era_none'],
      operationId: [checked.operationId, 'opr_none'],
      groupId: [group, bare(group), '120363000000000000'],
      contact: [customer, '4915199999999'],
      phoneNumber: [customer, business],
      participant: [customer],
      to: [customer, group],
      chat: [customer],
      mention: [customer],
      // Fetched when a message is sent: nothing listens there.
      link: ['http://127.0.0.1:9/none.png'],
      url: [endpoint.url],
      queue: ['sends', 'webhooks'],
      file: ['swagger-ui.css', 'swagger-ui-bundle.js', 'none'],
      Prefer: ['wait=1', 'respond-async', 'wait=0'],
      limit: [1, 50],
      timeZone: ['Asia/Colombo'],
    },
    own: {
      updateConnection: expendable,
      pairConnection: expendable,
      restartConnection: expendable,
      logoutConnection: expendable,
      deleteConnection: expendable,
      cancelMessage: { connectionId: [connectionId], messageId: [alsoCancelled, sent, 'msg_none'] },
      deleteMedia: { mediaId: [removed, 'med_none'] },
      deleteWebhook: { webhookId: [endedHook, 'whk_none'] },
      deleteBusinessProfile: { businessProfileId: [ended, gone, 'bp_none'] },
      startErasure: { contact: ['+4915199999999'] },
      importConnection: { businessProfileId: [other, 'bp_none'] },
    },
  }
}
