import type { S3Client } from '@aws-sdk/client-s3'
import type { AuthStore } from '../domain/stores/auth.ts'
import type { StoreTable } from './requests.ts'

export interface AuthPlaces extends StoreTable {
  readonly objects: S3Client
  readonly bucket: string
}

export function authStore(_places: AuthPlaces): AuthStore {
  throw new Error('not written yet')
}
