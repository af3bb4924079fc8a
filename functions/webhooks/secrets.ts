import { KMSClient } from '@aws-sdk/client-kms'
import { type SecretSeal, secretSeal, type WebhookSecrets } from '../../shared/aws/webhook-secrets.ts'
import { RecentValues } from '../recent-values.ts'

/** KMS with its answers remembered for a while in this process's memory: a busy endpoint costs a request in five minutes. */
export function rememberedSecrets(keyArn: string): SecretSeal {
  const kms = new KMSClient({
    maxAttempts: 4,
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 3_000, throwOnRequestTimeout: true },
  })
  const seal = secretSeal(kms, keyArn)
  const opened = new RecentValues<WebhookSecrets>({ keepMs: 300_000, entriesMax: 500 })
  return {
    seal: (ref, secrets) => seal.seal(ref, secrets),
    async open(ref, sealed) {
      const known = opened.get(`${ref.webhookId} ${sealed}`)
      if (known !== undefined) return known
      const secrets = await seal.open(ref, sealed)
      opened.set(`${ref.webhookId} ${sealed}`, secrets)
      return secrets
    },
  }
}
