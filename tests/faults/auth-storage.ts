import { createHash } from 'node:crypto'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { DeleteCommand, DynamoDBDocumentClient, GetCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb'
import { decodeChanges } from '../../shared/aws/auth-codec.ts'
import type { RunningPlace } from '../end-to-end/place.ts'

/** The stored auth state of a connection, as somebody with the keys to the account could break it. */
export class AuthStorage {
  readonly #objects: S3Client
  readonly #documents: DynamoDBDocumentClient
  readonly #bucket: string
  readonly #table: string
  readonly #connections: string
  readonly #fleet: string

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
    this.#fleet = output(/RefStorageFleetTable/)
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
    return (await this.#read(this.#connections, { businessProfileId, connectionId }))?.opening?.epoch
  }

  /** Whether failures still count: not once it was open for long enough. */
  async hasSetbacks(businessProfileId: string, connectionId: string): Promise<boolean> {
    const row = await this.#read(this.#connections, { businessProfileId, connectionId })
    return (row?.setbacks?.failures ?? 0) > 0
  }

  /** Id of the worker that owns the connection's partition; it begins with the id of its task. */
  async owner(businessProfileId: string, connectionId: string): Promise<string | undefined> {
    const row = await this.#read(this.#connections, { businessProfileId, connectionId })
    return (await this.#read(this.#fleet, { kind: 'partition', id: String(row?.partition) }))?.owner
  }

  /** All records of the auth state as a new owner would find them. */
  async records(businessProfileId: string, connectionId: string): Promise<ReadonlyMap<string, string>> {
    const connectionKey = `${businessProfileId}#${connectionId}`
    const head = await this.#read(this.#table, { connectionKey, item: 'head' })
    const { Body } = await this.#objects.send(new GetObjectCommand({ Bucket: this.#bucket, Key: head?.snapshot?.key }))
    const snapshot = await Body?.transformToByteArray()
    if (snapshot === undefined) throw new Error(`${connectionId} has no snapshot`)
    const { Items = [] } = await this.#documents.send(
      new QueryCommand({
        TableName: this.#table,
        ConsistentRead: true,
        KeyConditionExpression: 'connectionKey = :key AND #item BETWEEN :from AND :to',
        ExpressionAttributeNames: { '#item': 'item' },
        ExpressionAttributeValues: { ':key': connectionKey, ':from': 'journal#', ':to': 'journal#:' },
      }),
    )
    const records = new Map<string, string>()
    const entries = Items.filter(({ seq }) => seq > head?.snapshot.seq).map(({ data }) => decodeChanges('entry', data))
    for (const [key, value] of [decodeChanges('snapshot', snapshot), ...entries].flat()) {
      if (value === null) records.delete(key)
      else records.set(key, typeof value === 'string' ? value : Buffer.from(value).toString('base64'))
    }
    return records
  }

  /** What makes a device the one that it is. */
  async identity(businessProfileId: string, connectionId: string): Promise<string> {
    const records = await this.records(businessProfileId, connectionId)
    return ['noiseKey', 'signedIdentityKey', 'registrationId', 'advSecretKey']
      .map((name) => records.get(`creds/${name}`) ?? fail(`creds/${name} is not stored`))
      .reduce((hash, value) => hash.update(value), createHash('sha256'))
      .digest('hex')
  }

  // biome-ignore lint/suspicious/noExplicitAny: items as they lie in the table
  async #read(table: string, key: Record<string, string>): Promise<any> {
    const { Item } = await this.#documents.send(new GetCommand({ TableName: table, Key: key, ConsistentRead: true }))
    return Item
  }

  close(): void {
    this.#objects.destroy()
    this.#documents.destroy()
  }
}

function fail(what: string): never {
  throw new Error(what)
}
