/**
 * KMS for callers that encrypt by themselves: Encrypt, Decrypt and GenerateDataKey under keys that are derived from one
 * secret in the state folder. It keeps the rules of KMS that show (contexts must match, keys must exist), not its strength.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { isObject, type JsonObject } from '../template/json.ts'
import { jsonAnswer } from './answers.ts'
import { type FrontCall, type FrontService, type Protocol, ServiceError } from './call.ts'
import { parse, text } from './dynamodb.ts'

const PROTOCOL: Protocol = { kind: 'json', version: '1.1', accessDenied: 'AccessDeniedException', deniedStatus: 400 }
const OPERATIONS = ['Encrypt', 'Decrypt', 'GenerateDataKey', 'GenerateDataKeyWithoutPlaintext', 'DescribeKey']

export function kmsService(
  keyArns: readonly string[],
  aliases: Readonly<Record<string, string>>,
  secret: string,
): FrontService {
  const find = (id: string): string => {
    const found = keyArns.find((arn) => arn === id || arn.endsWith(`/${id}`)) ?? aliases[id]
    if (found === undefined) throw new ServiceError('NotFoundException', `Key '${id}' does not exist`)
    return found
  }
  /** A ciphertext names its key first, so Decrypt needs no KeyId. */
  const keyOf = (call: FrontCall): string => {
    const input = parse(call)
    return call.operation === 'Decrypt' ? unpack(input, keyArns).keyArn : find(text(input, 'KeyId'))
  }
  const cipherKey = (keyArn: string): Buffer => createHmac('sha256', secret).update(keyArn).digest()

  const seal = (keyArn: string, plain: Buffer, input: JsonObject): string => {
    const nonce = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', cipherKey(keyArn), nonce).setAAD(contextOf(input))
    const sealed = Buffer.concat([cipher.update(plain), cipher.final()])
    const index = Buffer.from([keyArns.indexOf(keyArn)])
    return Buffer.concat([index, nonce, cipher.getAuthTag(), sealed]).toString('base64')
  }

  return {
    protocol: PROTOCOL,
    demands(call) {
      if (!OPERATIONS.includes(call.operation))
        throw new ServiceError('UnknownOperationException', `Local mode does not know kms:${call.operation}`)
      return [{ action: `kms:${call.operation}`, resource: keyOf(call), context: {} }]
    },
    async handle(call) {
      const input = parse(call)
      const keyArn = keyOf(call)
      switch (call.operation) {
        case 'DescribeKey':
          return jsonAnswer(PROTOCOL, {
            KeyMetadata: { KeyId: keyArn.split('/').pop(), Arn: keyArn, Enabled: true, KeyState: 'Enabled' },
          })
        case 'Encrypt':
          return jsonAnswer(PROTOCOL, {
            KeyId: keyArn,
            CiphertextBlob: seal(keyArn, Buffer.from(text(input, 'Plaintext'), 'base64'), input),
          })
        case 'Decrypt':
          return jsonAnswer(PROTOCOL, {
            KeyId: keyArn,
            Plaintext: open(cipherKey(keyArn), input, keyArns).toString('base64'),
          })
        default: {
          const size =
            typeof input['NumberOfBytes'] === 'number'
              ? input['NumberOfBytes']
              : input['KeySpec'] === 'AES_128'
                ? 16
                : 32
          const plain = randomBytes(size)
          const sealed = { KeyId: keyArn, CiphertextBlob: seal(keyArn, plain, input) }
          return jsonAnswer(
            PROTOCOL,
            call.operation === 'GenerateDataKey' ? { ...sealed, Plaintext: plain.toString('base64') } : sealed,
          )
        }
      }
    },
  }
}

function unpack(
  input: JsonObject,
  keyArns: readonly string[],
): { keyArn: string; nonce: Buffer; tag: Buffer; sealed: Buffer } {
  const blob = Buffer.from(text(input, 'CiphertextBlob'), 'base64')
  const keyArn = keyArns[blob[0] ?? -1]
  if (keyArn === undefined || blob.length < 29)
    throw new ServiceError('InvalidCiphertextException', 'The ciphertext is not of a key here')
  return { keyArn, nonce: blob.subarray(1, 13), tag: blob.subarray(13, 29), sealed: blob.subarray(29) }
}

function open(key: Buffer, input: JsonObject, keyArns: readonly string[]): Buffer {
  const { nonce, tag, sealed } = unpack(input, keyArns)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(contextOf(input)).setAuthTag(tag)
  try {
    return Buffer.concat([decipher.update(sealed), decipher.final()])
  } catch {
    throw new ServiceError('InvalidCiphertextException', 'The ciphertext or its encryption context is wrong')
  }
}

function contextOf(input: JsonObject): Buffer {
  const context = isObject(input['EncryptionContext']) ? input['EncryptionContext'] : {}
  return Buffer.from(JSON.stringify(Object.entries(context).sort(([left], [right]) => (left < right ? -1 : 1))))
}
