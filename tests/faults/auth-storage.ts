import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { DeleteCommand, DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import type { RunningPlace } from '../end-to-end/place.ts'

/** The stored auth state of a connection, as somebody with the keys to the account could break it. */
export class AuthStorage {
  readonly #objects: S3Client
  readonly #documents: DynamoDBDocumentClient
  readonly #bucket: string
  readonly #table: string
  readonly #connections: string

  constructor({ local, aws }: RunningPlace) {
    this.#objects = new S3Client({ ...aws, forcePathStyle: true })
    this.#documents = DynamoDBDocumentClient.from(new DynamoDBClient(aws))
    const output = (name: RegExp): string => {
      const found = Object.entries(local.outputs).find(([key]) => name.test(key))
      if (found === undefined) throw new Error(`the template has no output like ${name}`)
      return found[1]
    }
    this.#bucket = output(/RefStorageAuthBucket/)
    this.#table = output(/RefStorageAuthTable/)
    this.#connections = output(/RefStorageConnectionsTable/)
  }

  /** Each snapshot as `change` makes it; `undefined` deletes it. Gives the way back. */
  async changeSnapshots(
    businessProfileId: string,
    connectionId: string,
    change: (bytes: Uint8Array) => Uint8Array | undefined,
  ): Promise<() => Promise<void>> {
    const { Contents = [] } = await this.#objects.send(
      new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: `${businessProfileId}/${connectionId}/` }),
    )
    if (Contents.length === 0) throw new Error(`no snapshot of ${connectionId} is stored`)
    const undo = await Promise.all(
      Contents.map(async ({ Key }) => {
        const place = { Bucket: this.#bucket, Key: Key ?? '' }
        const { Body } = await this.#objects.send(new GetObjectCommand(place))
        const before = await Body?.transformToByteArray()
        if (before === undefined) throw new Error(`snapshot ${Key} has no body`)
        const after = change(before)
        if (after === undefined) await this.#objects.send(new DeleteObjectCommand(place))
        else await this.#objects.send(new PutObjectCommand({ ...place, Body: after }))
        return () => this.#objects.send(new PutObjectCommand({ ...place, Body: before }))
      }),
    )
    return async () => {
      await Promise.all(undo.map((each) => each()))
    }
  }

  /** Gives the way back. */
  async removeHead(businessProfileId: string, connectionId: string): Promise<() => Promise<void>> {
    const key = { connectionKey: `${businessProfileId}#${connectionId}`, item: 'head' }
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: key, ConsistentRead: true }),
    )
    if (Item === undefined) throw new Error(`${connectionId} has no auth head`)
    await this.#documents.send(new DeleteCommand({ TableName: this.#table, Key: key }))
    return async () => {
      await this.#documents.send(new PutCommand({ TableName: this.#table, Item }))
    }
  }

  /** The epoch of the owner that is opening the connection at this moment. */
  async openingEpoch(businessProfileId: string, connectionId: string): Promise<number | undefined> {
    const { Item } = await this.#documents.send(
      new GetCommand({
        TableName: this.#connections,
        Key: { businessProfileId, connectionId },
        ConsistentRead: true,
      }),
    )
    return Item?.opening?.epoch
  }

  close(): void {
    this.#objects.destroy()
    this.#documents.destroy()
  }
}
