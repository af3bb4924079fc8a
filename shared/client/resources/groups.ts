import type { Answer, Body } from '../contract.ts'
import type { Http } from '../http.ts'
import { type OperationOptions, operationHeaders, waitHeader } from './operations.ts'

type Waiting = Pick<OperationOptions, 'waitSeconds'>
type Participants = '/connections/{connectionId}/groups/{groupId}/participants'
type Admins = '/connections/{connectionId}/groups/{groupId}/admins'
type OfGroup = '/connections/{connectionId}/groups/{groupId}'

/** Groups. Every call gives an operation; `resultOf` takes the answer out of it. */
export class Groups {
  readonly #http: Http

  constructor(http: Http) {
    this.#http = http
  }

  /** Without their participants. */
  list(connectionId: string, options: Waiting = {}): Promise<Answer<'GET /connections/{connectionId}/groups'>> {
    return this.#http.request('GET /connections/{connectionId}/groups', {
      params: { connectionId },
      headers: waitHeader(options),
    })
  }

  get(connectionId: string, groupId: string, options: Waiting = {}): Promise<Answer<`GET ${OfGroup}`>> {
    return this.#http.request('GET /connections/{connectionId}/groups/{groupId}', {
      params: { connectionId, groupId },
      headers: waitHeader(options),
    })
  }

  create(
    connectionId: string,
    group: Body<'POST /connections/{connectionId}/groups'>,
    options: OperationOptions = {},
  ): Promise<Answer<'POST /connections/{connectionId}/groups'>> {
    return this.#http.request('POST /connections/{connectionId}/groups', {
      params: { connectionId },
      body: group,
      headers: operationHeaders(options),
    })
  }

  /** Subject, description (`null` takes it away), who may write and who may change it. */
  update(
    connectionId: string,
    groupId: string,
    change: Body<`PATCH ${OfGroup}`>,
    options: OperationOptions = {},
  ): Promise<Answer<`PATCH ${OfGroup}`>> {
    return this.#http.request('PATCH /connections/{connectionId}/groups/{groupId}', {
      params: { connectionId, groupId },
      body: change,
      headers: operationHeaders(options),
    })
  }

  leave(
    connectionId: string,
    groupId: string,
    options: OperationOptions = {},
  ): Promise<Answer<`POST ${OfGroup}/leave`>> {
    return this.#http.request('POST /connections/{connectionId}/groups/{groupId}/leave', {
      params: { connectionId, groupId },
      body: {},
      headers: operationHeaders(options),
    })
  }

  /** @param jpeg base64; null takes the picture away */
  setPicture(
    connectionId: string,
    groupId: string,
    jpeg: string | null,
    options: OperationOptions = {},
  ): Promise<Answer<`POST ${OfGroup}/picture`>> {
    const shared = { params: { connectionId, groupId }, headers: operationHeaders(options) }
    return jpeg === null
      ? this.#http.request('DELETE /connections/{connectionId}/groups/{groupId}/picture', shared)
      : this.#http.request('POST /connections/{connectionId}/groups/{groupId}/picture', { ...shared, body: { jpeg } })
  }

  add(
    connectionId: string,
    groupId: string,
    participants: string[],
    options: OperationOptions = {},
  ): Promise<Answer<`POST ${Participants}`>> {
    return this.#http.request('POST /connections/{connectionId}/groups/{groupId}/participants', {
      params: { connectionId, groupId },
      body: { participants },
      headers: operationHeaders(options),
    })
  }

  remove(
    connectionId: string,
    groupId: string,
    participants: string[],
    options: OperationOptions = {},
  ): Promise<Answer<`POST ${Participants}/remove`>> {
    return this.#http.request('POST /connections/{connectionId}/groups/{groupId}/participants/remove', {
      params: { connectionId, groupId },
      body: { participants },
      headers: operationHeaders(options),
    })
  }

  promote(
    connectionId: string,
    groupId: string,
    participants: string[],
    options: OperationOptions = {},
  ): Promise<Answer<`POST ${Admins}`>> {
    return this.#http.request('POST /connections/{connectionId}/groups/{groupId}/admins', {
      params: { connectionId, groupId },
      body: { participants },
      headers: operationHeaders(options),
    })
  }

  demote(
    connectionId: string,
    groupId: string,
    participants: string[],
    options: OperationOptions = {},
  ): Promise<Answer<`POST ${Admins}/remove`>> {
    return this.#http.request('POST /connections/{connectionId}/groups/{groupId}/admins/remove', {
      params: { connectionId, groupId },
      body: { participants },
      headers: operationHeaders(options),
    })
  }

  invite(connectionId: string, groupId: string, options: Waiting = {}): Promise<Answer<`GET ${OfGroup}/invite`>> {
    return this.#http.request('GET /connections/{connectionId}/groups/{groupId}/invite', {
      params: { connectionId, groupId },
      headers: waitHeader(options),
    })
  }

  /** The link that was given before is void; gives a new one. */
  revokeInvite(
    connectionId: string,
    groupId: string,
    options: OperationOptions = {},
  ): Promise<Answer<`POST ${OfGroup}/invite/revoke`>> {
    return this.#http.request('POST /connections/{connectionId}/groups/{groupId}/invite/revoke', {
      params: { connectionId, groupId },
      body: {},
      headers: operationHeaders(options),
    })
  }

  /** @param invite the link, or the code at its end */
  join(
    connectionId: string,
    invite: string,
    options: OperationOptions = {},
  ): Promise<Answer<'POST /connections/{connectionId}/groups/join'>> {
    return this.#http.request('POST /connections/{connectionId}/groups/join', {
      params: { connectionId },
      body: { invite },
      headers: operationHeaders(options),
    })
  }
}
