import { DecryptCommand, EncryptCommand, type KMSClient } from '@aws-sdk/client-kms'
import type { WebhookRef } from '../domain/webhooks.ts'
import type { IsoTime } from '../domain/words.ts'

/** What of a webhook nobody may read in a table: the keys that sign, and header values, which may be keys too. */
export interface WebhookSecrets {
  /** The one that signs first. The other, during a rotation, signs as well until it ends. */
  readonly signing: readonly { readonly secret: string; readonly until?: IsoTime }[]
  readonly headers: Readonly<Record<string, string>>
}

/** KMS encrypts 4,096 bytes at once. */
export const sealedBytesMax = 4096

export interface SecretSeal {
  /** Base64. Throws what KMS says; never with the plain text. */
  seal(ref: WebhookRef, secrets: WebhookSecrets): Promise<string>
  open(ref: WebhookRef, sealed: string): Promise<WebhookSecrets>
}

/**
 * Encrypts with one KMS key. What was sealed for one webhook opens for no other: its ids are the encryption context. One
 * KMS request each.
 */
export function secretSeal(kms: KMSClient, keyId: string): SecretSeal {
  const context = ({ businessProfileId, webhookId }: WebhookRef) => ({ businessProfileId, webhookId })
  return {
    async seal(ref, secrets) {
      const { CiphertextBlob } = await kms.send(
        new EncryptCommand({
          KeyId: keyId,
          Plaintext: Buffer.from(JSON.stringify(secrets)),
          EncryptionContext: context(ref),
        }),
      )
      if (CiphertextBlob === undefined) throw new Error('KMS gave no ciphertext')
      return Buffer.from(CiphertextBlob).toString('base64')
    },
    async open(ref, sealed) {
      const { Plaintext } = await kms.send(
        new DecryptCommand({
          KeyId: keyId,
          CiphertextBlob: Buffer.from(sealed, 'base64'),
          EncryptionContext: context(ref),
        }),
      )
      if (Plaintext === undefined) throw new Error('KMS gave no plain text')
      return JSON.parse(Buffer.from(Plaintext).toString('utf8')) as WebhookSecrets
    },
  }
}
