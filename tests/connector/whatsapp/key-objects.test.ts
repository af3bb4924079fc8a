import crypto, { createCipheriv, createDecipheriv, createHmac, createSecretKey, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { useKeyObjects } from '../../../connector/whatsapp/key-objects.ts'

/** As Node has them: a named import of this file changes with `useKeyObjects`. */
const plain = { createHmac, createCipheriv, createDecipheriv }

test('keys as bytes give what they gave, as key objects to Node', () => {
  const key = randomBytes(32)
  const iv = randomBytes(16)
  const data = randomBytes(100)
  const mac = plain.createHmac('sha256', key).update(data).digest('hex')
  const cipher = plain.createCipheriv('aes-256-cbc', key, iv)
  const sealed = Buffer.concat([cipher.update(data), cipher.final()])
  useKeyObjects()
  useKeyObjects()
  expect(crypto.createHmac).not.toBe(plain.createHmac)
  expect(crypto.createHmac('sha256', key).update(data).digest('hex')).toBe(mac)
  expect(crypto.createHmac('sha256', createSecretKey(key)).update(data).digest('hex')).toBe(mac)
  const again = crypto.createCipheriv('aes-256-cbc', key, iv)
  expect(Buffer.concat([again.update(data), again.final()])).toEqual(sealed)
  const opened = crypto.createDecipheriv('aes-256-cbc', key, iv)
  expect(Buffer.concat([opened.update(sealed), opened.final()])).toEqual(data)
})

test('keys that are no bytes, and none at all, are judged by Node', () => {
  useKeyObjects()
  const mac = (key: string | Buffer) => crypto.createHmac('sha256', key).update('data').digest('hex')
  expect(mac('secret')).toBe(mac(Buffer.from('secret')))
  expect(mac('')).toBe(mac(Buffer.alloc(0)))
  expect(() => crypto.createCipheriv('aes-256-cbc', Buffer.alloc(5), Buffer.alloc(16))).toThrow(RangeError)
  expect(() => crypto.createHmac('sha256', undefined as never)).toThrow(TypeError)
})

test('curve keys are what they were, one that is none is refused with its trace, and others keep theirs', () => {
  useKeyObjects()
  const der = crypto.generateKeyPairSync('x25519').privateKey.export({ format: 'der', type: 'pkcs8' })
  const made = crypto.createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  expect(made.export({ format: 'der', type: 'pkcs8' })).toEqual(der)
  expect(crypto.createPublicKey(made).asymmetricKeyType).toBe('x25519')
  const refused = (() => {
    try {
      return crypto.createPrivateKey({ key: Buffer.alloc(5), format: 'der', type: 'pkcs8' })
    } catch (error) {
      return error as Error
    }
  })()
  expect(refused).toBeInstanceOf(Error)
  expect((refused as Error).stack).toContain('key-objects.test.ts')
  expect(Error.stackTraceLimit).toBeGreaterThan(0)
})

test('a curve key is made once, by its bytes and its kind; one that is bigger is made each time', () => {
  useKeyObjects()
  const pair = () => crypto.generateKeyPairSync('x25519')
  const secret = ({ privateKey }: ReturnType<typeof pair>) => privateKey.export({ format: 'der', type: 'pkcs8' })
  const made = (key: Buffer) => crypto.createPrivateKey({ key, format: 'der', type: 'pkcs8' })
  const [mine, other] = [secret(pair()), secret(pair())]
  expect(made(Buffer.from(mine))).toBe(made(mine))
  expect(made(other)).not.toBe(made(mine))
  expect(made(other).export({ format: 'der', type: 'pkcs8' })).toEqual(other)
  const open = pair().publicKey.export({ format: 'der', type: 'spki' })
  expect(crypto.createPublicKey({ key: open, format: 'der', type: 'spki' }).type).toBe('public')
  for (let i = 0; i < 300; i++) made(secret(pair()))
  expect(made(mine).export({ format: 'der', type: 'pkcs8' })).toEqual(mine)
  const { privateKey: big } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const bigger = big.export({ format: 'der', type: 'pkcs8' })
  expect(made(bigger)).not.toBe(made(bigger))
})

test('a pair that is asked for in DER is one, by its bytes too, and other ways to ask are left to Node', () => {
  useKeyObjects()
  const encodings = {
    publicKeyEncoding: { format: 'der', type: 'spki' },
    privateKeyEncoding: { format: 'der', type: 'pkcs8' },
  } as const
  // Node's types give key objects for this way to ask.
  const inDer = (type: 'x25519') =>
    crypto.generateKeyPairSync(type, encodings) as unknown as Record<'publicKey' | 'privateKey', Buffer>
  const pairs = [inDer('x25519'), inDer('x25519')]
  for (const { publicKey, privateKey } of pairs) {
    const secret = crypto.createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' })
    const open = crypto.createPublicKey({ key: publicKey, format: 'der', type: 'spki' })
    expect(secret.export(encodings.privateKeyEncoding)).toEqual(privateKey)
    expect(open.export(encodings.publicKeyEncoding)).toEqual(publicKey)
    expect(crypto.createPublicKey(secret).export(encodings.publicKeyEncoding)).toEqual(publicKey)
  }
  expect(pairs[0]?.privateKey).not.toEqual(pairs[1]?.privateKey)
  const signing = inDer('ed25519' as 'x25519')
  expect(crypto.createPublicKey({ key: signing.publicKey, format: 'der', type: 'spki' }).asymmetricKeyType).toBe(
    'ed25519',
  )
  const sealed = crypto.generateKeyPairSync('x25519', {
    ...encodings,
    privateKeyEncoding: { ...encodings.privateKeyEncoding, cipher: 'aes-256-cbc', passphrase: 'secret' },
  })
  const opened = { key: sealed.privateKey, format: 'der', type: 'pkcs8', passphrase: 'secret' } as const
  expect(crypto.createPrivateKey(opened).asymmetricKeyType).toBe('x25519')
  expect(crypto.generateKeyPairSync('x25519').privateKey.type).toBe('private')
})

test('named imports of modules that were loaded before see it as well', async () => {
  useKeyObjects()
  const { createHmac: named } = await import('node:crypto')
  expect(named).toBe(crypto.createHmac)
})
