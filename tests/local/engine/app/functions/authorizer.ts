/** Lets a caller through whose key is the generated one. */
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'

const client = new SecretsManagerClient({})

export async function handler(event: {
  readonly headers?: Readonly<Record<string, string>>
}): Promise<{ isAuthorized: boolean }> {
  const secret = await client.send(new GetSecretValueCommand({ SecretId: process.env['SECRET_ARN'] }))
  return { isAuthorized: event.headers?.['x-api-key'] === secret.SecretString }
}
