/**
 * The table of queries. A handler answers with the content of a result, with an error, or not at all where the answer
 * went out by another way; a query that is not in the table gets an error, never silence.
 */

import { createHash } from 'node:crypto'
import { answerMex } from './account-standing.ts'
import { type BinaryNode, bigEndian, child, children, node, requiredBytes, SERVER_JID } from './binary-node.ts'
import type { CompanionDevice } from './companion-device.ts'
import type { Connection } from './connection.ts'
import { KEY_TYPE } from './curve.ts'
import { answerGroupQuery } from './group-queries.ts'
import { bundleNodes, readKey, readSignedKey } from './prekey-nodes.ts'
import { PROFILE_QUERIES } from './profile-queries.ts'
import type { Simulator } from './simulator.ts'
import { unlink } from './unlinking.ts'
import { answerUsync } from './usync.ts'

export type IqAnswer =
  | { kind: 'result'; content?: BinaryNode[]; afterwards?: () => void }
  | { kind: 'error'; code: number; text: string }

interface IqContext {
  simulator: Simulator
  connection: Connection
  iq: BinaryNode
  /** The first child, which says what is asked. */
  query: BinaryNode
}

interface DeviceContext extends IqContext {
  device: CompanionDevice
}

type Handler<C> = (context: C) => IqAnswer | Promise<IqAnswer>

/** Below this many one-time keys the client is asked for more; Baileys uploads only when it hears of fewer than five. */
const PRE_KEYS_LOW = 5

const result = (...content: BinaryNode[]): IqAnswer =>
  content.length === 0 ? { kind: 'result' } : { kind: 'result', content }
const failed = (code: number, text: string): IqAnswer => ({ kind: 'error', code, text })
const empty: Handler<DeviceContext> = () => result()

/** For devices that are logged in, by `xmlns type child`. */
const DEVICE_QUERIES: Record<string, Handler<DeviceContext>> = {
  'encrypt get count': ({ device }) => result(node('count', { value: device.preKeys.size.toString() })),
  'encrypt get digest': ({ device }) => result(digest(device)),
  'encrypt get key': fetchBundles,
  'encrypt set registration': uploadPreKeys,
  'encrypt set rotate': async ({ simulator, device, query }) => {
    const signed = child(query, 'skey')
    if (!signed) return failed(400, 'bad-request')
    device.replaceSignedPreKey(readSignedKey(signed))
    await simulator.store.flush()
    return result()
  },
  'passive set active': ({ connection, device }) => ({
    kind: 'result',
    afterwards: () => device.mailbox.begin(connection),
  }),
  'passive set passive': empty,
  'usync get usync': ({ simulator, device, query }) =>
    result(answerUsync(simulator, device.address.phoneNumber, query)),
  'abt get props': () => result(node('props', { hash: 'simulated', refresh: '86400', protocol: '1' })),
  'privacy set tokens': ({ simulator, query }) => {
    simulator.stats.tokenRequests++
    simulator.stats.tokensGiven += children(query).length
    return result(node('tokens'))
  },
  'urn:xmpp:whatsapp:dirty set clean': empty,
  'w:mex get query': ({ simulator, connection, query }) => {
    const answer = answerMex(simulator, connection, query)
    return answer ? result(answer) : failed(501, 'feature-not-implemented')
  },
  'w:stats set add': empty,
  'w:sync:app:state set sync': ({ query }) => result(noPatches(query)),
  'w:m set media_conn': ({ simulator }) => result(mediaConnection(simulator)),
  'md set remove-companion-device': ({ simulator, device }) => ({
    kind: 'result',
    afterwards: () => unlink(simulator, device, 'companion'),
  }),
}

/** For clients that registered and are not linked yet. */
const CANDIDATE_QUERIES: Record<string, Handler<IqContext>> = {
  'md set link_code_companion_reg': ({ simulator, connection, query }) => {
    if (query.attrs.stage === 'companion_hello') {
      const content = simulator.pairing.requestCode(connection, query)
      return content ? result(content) : failed(404, 'item-not-found')
    }
    const afterwards = simulator.pairing.finishCode(connection, query)
    return afterwards ? { kind: 'result', afterwards } : failed(401, 'not-authorized')
  },
}

const PING: Handler<IqContext> = () => result()

/** Answers one `<iq>` of a client. */
export async function answerIq(
  simulator: Simulator,
  connection: Connection,
  device: CompanionDevice | undefined,
  iq: BinaryNode,
): Promise<void> {
  const { id, type, xmlns } = iq.attrs
  if (type === 'result' || type === 'error') {
    await simulator.pairing.confirm(connection, iq)
    return
  }
  if (!id) return
  const query = children(iq)[0] ?? node('')
  const name = `${xmlns ?? ''} ${type ?? 'set'} ${query.tag}`.trim()
  const context = { simulator, connection, iq, query }
  const ignored = simulator.faults.find('ignore-queries', connection, (fault) => queryConcerned(iq, fault))
  if (ignored) {
    simulator.faults.apply(ignored)
    return
  }
  const refusal = simulator.faults.find('refuse-queries', connection, (fault) => queryConcerned(iq, fault))
  if (refusal) simulator.faults.apply(refusal)
  const answer = refusal
    ? failed(refusal.request.code, refusal.request.text)
    : ((await dispatch(context, device, name)) ?? failed(501, 'feature-not-implemented'))
  const attrs = { id, from: SERVER_JID, type: answer.kind }
  if (answer.kind === 'error') {
    const { code, text } = answer
    connection.send(node('iq', attrs, [node('error', { code: code.toString(), text })]))
    return
  }
  connection.send(node('iq', attrs, answer.content))
  answer.afterwards?.()
}

/** Nothing was ever changed in these collections: each is at the version that the client has. */
function noPatches(sync: BinaryNode): BinaryNode {
  const collections = children(sync, 'collection').map(({ attrs: { name = '', version = '0' } }) =>
    node('collection', { name, version, has_more_patches: 'false' }),
  )
  return node('sync', {}, collections)
}

/** Undefined for a query that the server does not know. */
function dispatch(
  context: IqContext,
  device: CompanionDevice | undefined,
  name: string,
): IqAnswer | undefined | Promise<IqAnswer> {
  const { simulator, iq, query } = context
  if (iq.attrs.xmlns === 'w:p') return PING(context)
  if (!device) return CANDIDATE_QUERIES[name]?.(context) ?? failed(401, 'not-authorized')
  const account = simulator.directory.account(device.address.phoneNumber)
  if (!account) return failed(401, 'not-authorized')
  if (iq.attrs.xmlns === 'w:g2') return answerGroupQuery(simulator, account.phoneNumber, iq, query)
  return PROFILE_QUERIES[name]?.({ ...context, device, account }) ?? DEVICE_QUERIES[name]?.({ ...context, device })
}

/** Whether a fault on queries means this one. */
function queryConcerned(iq: BinaryNode, fault: { xmlns?: string | undefined; about?: string | undefined }): boolean {
  if (fault.xmlns !== undefined && fault.xmlns !== iq.attrs.xmlns) return false
  return fault.about === undefined || mentions(iq, fault.about)
}

function mentions({ attrs, content }: BinaryNode, text: string): boolean {
  if (Object.values(attrs).some((value) => value.includes(text))) return true
  if (Array.isArray(content)) return content.some((each) => mentions(each, text))
  return content !== undefined && Buffer.from(content as Uint8Array).includes(text)
}

/** Where media go. The client keeps it for `ttl` seconds. */
function mediaConnection({ mediaHost, mediaAuth }: Simulator): BinaryNode {
  const attrs = { auth: mediaAuth, ttl: '3600', auth_ttl: '21600', max_buckets: '12' }
  return node('media_conn', attrs, [node('host', { hostname: mediaHost, type: 'primary' })])
}

/** Key ids and a SHA-1 over all public keys and the signature, which is how a client may tell that its keys are known. */
function digest(device: CompanionDevice): BinaryNode {
  const { registrationId, identityKey, signedPreKey } = device.keys
  const hash = createHash('sha1').update(identityKey).update(signedPreKey.publicKey).update(signedPreKey.signature)
  const { ids, publicKeys } = device.preKeys.record()
  hash.update(publicKeys, 'base64')
  return node('digest', {}, [
    node('registration', {}, bigEndian(registrationId, 4)),
    node('type', {}, KEY_TYPE),
    node('identity', {}, identityKey),
    node('skey', {}, [
      node('id', {}, bigEndian(signedPreKey.keyId, 3)),
      node('value', {}, signedPreKey.publicKey),
      node('signature', {}, signedPreKey.signature),
    ]),
    node(
      'list',
      {},
      ids.map((id) => node('id', {}, bigEndian(id, 3))),
    ),
    node('hash', {}, hash.digest()),
  ])
}

/** On disk before it is answered: the client forgets that these keys were ever not uploaded. */
async function uploadPreKeys({ simulator, device, iq }: DeviceContext): Promise<IqAnswer> {
  const identity = requiredBytes(iq, 'identity', 32)
  const signed = child(iq, 'skey')
  if (!signed || !identity.equals(device.keys.identityKey)) return failed(400, 'bad-request')
  device.keys.registrationId = requiredBytes(iq, 'registration', 4).readUInt32BE(0)
  device.replaceSignedPreKey(readSignedKey(signed))
  device.addPreKeys(children(child(iq, 'list'), 'key').map(readKey))
  await simulator.store.flush()
  if (device.greeted) return result()
  device.greeted = true
  device.changed()
  const account = simulator.directory.account(device.address.phoneNumber)
  return { kind: 'result', afterwards: () => account?.phone.greet(device.address) }
}

function fetchBundles({ simulator, query }: DeviceContext): IqAnswer {
  const { directory } = simulator
  const users = children(query, 'user').map(({ attrs }) => {
    const address = directory.addressOf(attrs.jid)
    const bundle = address && directory.takeBundle(address)
    const jid = attrs.jid ?? ''
    if (!bundle) return node('user', { jid }, [node('error', { code: '404', text: 'item-not-found' })])
    simulator.stats.bundlesFetched++
    const companion = directory.companion(address)
    if (companion) warnOfLowPreKeys(simulator, companion)
    return node('user', { jid, t: Math.floor(simulator.now() / 1000).toString() }, bundleNodes(bundle, KEY_TYPE))
  })
  return result(node('list', {}, users))
}

/** Kept in the mailbox until the client acknowledges it, and not said twice before that. */
export function warnOfLowPreKeys(simulator: Simulator, companion: CompanionDevice): void {
  const left = companion.preKeys.size
  if (left >= PRE_KEYS_LOW) return
  const id = `prekeys-low-${companion.key}`
  const t = Math.floor(simulator.now() / 1000).toString()
  const notification = node('notification', { from: SERVER_JID, type: 'encrypt', id, t }, [
    node('count', { value: left.toString() }),
  ])
  if (!companion.mailbox.holds(notification)) companion.mailbox.deliver(notification)
}
