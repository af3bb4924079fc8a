import { type FieldError, Problem } from '../../shared/api/problems.ts'
import type { RecordChange } from '../../shared/aws/auth-codec.ts'
import { encodeValue, preKeyText } from '../../shared/aws/auth-values.ts'

/** A device as its files say. */
export interface ImportedDevice {
  /** `94714515253:7@s.whatsapp.net` */
  readonly jid: string
  readonly lid?: string
  /** E.164. */
  readonly phoneNumber: string
  /** Base64 of the device's public identity key: the same in every copy of the folder. */
  readonly identity: string
  /** The records of a snapshot (see `connector/auth/records.ts`). */
  readonly records: readonly RecordChange[]
}

/** Kinds of Baileys' `SignalDataTypeMap`; the longer of two that begin alike first. */
const kinds = [
  'app-state-sync-key',
  'app-state-sync-version',
  'sender-key-memory',
  'sender-key',
  'identity-key',
  'lid-mapping',
  'device-list',
  'pre-key',
  'session',
  'tctoken',
] as const
type Kind = (typeof kinds)[number]

/** Asked for again at the first send to a contact: a list of unknown age is worth less than the question. */
const dropped: ReadonlySet<Kind> = new Set(['device-list'])

const keyPairs = ['noiseKey', 'signedIdentityKey'] as const

/**
 * Reads what `useMultiFileAuthState` of Baileys writes: `creds.json`, and a file `<kind>-<id>.json` per record, in whose name `/`
 * is written `__` and `:` is written `-`; bytes are `{ type: "Buffer", data }`. The content of a file is taken over as it is,
 * since stored records are Baileys' own.
 *
 * @throws Problem that names each file that is not right; nothing is imported in part
 */
export function readBaileysFolder(files: Readonly<Record<string, unknown>>): ImportedDevice {
  const errors: FieldError[] = []
  const records: RecordChange[] = []
  const creds = reviveBytes(files['creds.json'])
  if (!isObject(creds)) throw refused([{ field: 'files.creds.json', message: 'is required', expected: 'an object' }])
  const device = deviceOf(creds, errors)
  for (const [field, value] of Object.entries(creds)) {
    if (value !== undefined && value !== null) records.push([`creds/${field}`, encodeValue(value)])
  }
  for (const [name, content] of Object.entries(files)) {
    if (name === 'creds.json') continue
    try {
      const record = recordOf(name, reviveBytes(content))
      if (record !== undefined) records.push(record)
    } catch (error) {
      const message = error instanceof Error ? error.message : 'is not a record'
      errors.push({ field: `files.${name}`, message })
    }
  }
  if (device === undefined || errors.length > 0) throw refused(errors)
  return { ...device, records }
}

const errorsShown = 20

function refused(errors: readonly FieldError[]): Problem {
  const first = errors[0]
  return new Problem('invalid_request', {
    errors: errors.slice(0, errorsShown),
    ...(first === undefined ? {} : { detail: `${first.field}: ${first.message}` }),
  })
}

function deviceOf(creds: Readonly<Record<string, unknown>>, errors: FieldError[]) {
  const wrong = (field: string, expected: string) => {
    errors.push({ field: `files.creds.json.${field}`, message: 'is missing or of another kind', expected })
  }
  for (const name of keyPairs) if (!isKeyPair(creds[name])) wrong(name, 'a pair of 32-byte keys')
  const signed = creds.signedPreKey
  if (!isObject(signed) || !isKeyPair(signed.keyPair)) wrong('signedPreKey', 'a signed pair of keys')
  if (typeof creds.registrationId !== 'number') wrong('registrationId', 'a number')
  if (typeof creds.advSecretKey !== 'string') wrong('advSecretKey', 'a text')
  if (!isObject(creds.account)) wrong('account', "the account's signature: the device of this folder was never linked")
  const { me } = creds
  const id = isObject(me) && typeof me.id === 'string' ? me.id : ''
  const number = /^(\d{5,20})(?::\d{1,3})?@s\.whatsapp\.net$/.exec(id)?.[1]
  if (number === undefined) wrong('me.id', 'a JID such as 94714515253:7@s.whatsapp.net')
  if (errors.length > 0 || number === undefined) return undefined
  const identity = creds.signedIdentityKey as { readonly public: Uint8Array }
  const lid = isObject(me) && typeof me.lid === 'string' ? me.lid : undefined
  return {
    jid: id,
    ...(lid === undefined ? {} : { lid }),
    phoneNumber: `+${number}`,
    identity: Buffer.from(identity.public).toString('base64'),
  }
}

/** Undefined for what is not kept. @throws Error that says what is wrong with the file */
function recordOf(name: string, value: unknown): RecordChange | undefined {
  const kind = kinds.find((each) => name.startsWith(`${each}-`))
  if (kind === undefined || !name.endsWith('.json')) throw new Error('is not a file of a Baileys auth folder')
  const id = idOf(kind, name.slice(kind.length + 1, -'.json'.length))
  if (id === '') throw new Error('names no record')
  if (value === null || dropped.has(kind)) return undefined
  return [`key/${kind}/${id}`, textOf(kind, value)]
}

/** Only the names of sender keys have colons, between group, sender and device: `1203…@g.us::94714515253::0`. */
function idOf(kind: Kind, written: string): string {
  const id = written.replaceAll('__', '/')
  if (kind !== 'sender-key') return id
  const parts = /^(.+?@[a-z.]+)--(.+)--(\d+)$/.exec(id)
  if (parts === null) throw new Error('names no sender of a group')
  return `${parts[1]}::${parts[2]}::${parts[3]}`
}

function textOf(kind: Kind, value: unknown): string {
  switch (kind) {
    case 'pre-key': {
      if (!isKeyPair(value)) throw new Error('is not a pair of 32-byte keys')
      return preKeyText(value)
    }
    case 'app-state-sync-key':
      // Protobuf's own JSON: bytes are base64.
      if (!isObject(value)) throw new Error('is not an object')
      return encodeValue(
        typeof value.keyData === 'string' ? { ...value, keyData: Buffer.from(value.keyData, 'base64') } : value,
      )
    case 'sender-key':
    case 'identity-key':
      if (!(value instanceof Uint8Array)) throw new Error('is not a Buffer')
      return encodeValue(value)
    case 'session':
      if (!(value instanceof Uint8Array) && !isObject(value)) throw new Error('is not a session record')
      return encodeValue(value)
    default:
      return encodeValue(value)
  }
}

function isKeyPair(value: unknown): value is { readonly private: Uint8Array; readonly public: Uint8Array } {
  if (!isObject(value)) return false
  const halves = [value.private, value.public]
  return halves.every((half) => half instanceof Uint8Array && half.length === 32)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

/** `{ type: "Buffer", data: base64 or numbers }`, as Baileys and Node write bytes into JSON, becomes bytes. */
function reviveBytes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reviveBytes)
  if (typeof value !== 'object' || value === null) return value
  if ('type' in value && value.type === 'Buffer' && 'data' in value) {
    if (typeof value.data === 'string') return Buffer.from(value.data, 'base64')
    if (Array.isArray(value.data)) return Buffer.from(value.data as number[])
  }
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, reviveBytes(inner)]))
}
