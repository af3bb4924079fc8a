/** Answers and errors in the shapes that the SDK's protocols parse. */
import { randomUUID } from 'node:crypto'
import type { Answer, Protocol, ServiceError } from './call.ts'

export function jsonAnswer(protocol: Protocol, value: unknown, status = 200): Answer {
  const type = protocol.kind === 'json' ? `application/x-amz-json-${protocol.version}` : 'application/json'
  return { status, headers: { 'content-type': type, 'x-amzn-requestid': randomUUID() }, body: JSON.stringify(value) }
}

export function xmlAnswer(body: string, status = 200, headers: Readonly<Record<string, string>> = {}): Answer {
  const prolog = '<?xml version="1.0" encoding="UTF-8"?>\n'
  return { status, headers: { 'content-type': 'application/xml', ...headers }, body: prolog + body }
}

export function errorAnswer(protocol: Protocol, error: ServiceError): Answer {
  return answerOf(protocol, error.code, error.message, error.status)
}

/** How a service says that the caller may not do this. */
export function accessDenied(protocol: Protocol, message: string): Answer {
  switch (protocol.kind) {
    case 'json':
      return answerOf(protocol, protocol.accessDenied, message, protocol.deniedStatus)
    case 'rest-json':
      return answerOf(protocol, 'AccessDeniedException', message, 403)
    case 'query':
    case 's3':
      return answerOf(protocol, 'AccessDenied', message, 403)
  }
}

/** How a service says that it does not know the access key id. */
export function unknownCaller(protocol: Protocol): Answer {
  const message = 'The security token included in the request is invalid.'
  switch (protocol.kind) {
    case 'json':
    case 'rest-json':
      return answerOf(protocol, 'UnrecognizedClientException', message, 403)
    case 'query':
      return answerOf(protocol, 'InvalidClientTokenId', message, 403)
    case 's3':
      return answerOf(
        protocol,
        'InvalidAccessKeyId',
        'The AWS Access Key Id you provided does not exist in our records.',
        403,
      )
  }
}

function answerOf(protocol: Protocol, code: string, message: string, status: number): Answer {
  switch (protocol.kind) {
    case 'json': {
      const answer = jsonAnswer(
        protocol,
        { __type: `com.amazon.coral.service#${code}`, message, Message: message },
        status,
      )
      return { ...answer, headers: { ...answer.headers, 'x-amzn-errortype': code } }
    }
    case 'rest-json': {
      const answer = jsonAnswer(protocol, { message }, status)
      return { ...answer, headers: { ...answer.headers, 'x-amzn-errortype': code } }
    }
    case 'query': {
      const error = `<Error><Type>Sender</Type><Code>${xml(code)}</Code><Message>${xml(message)}</Message></Error>`
      return xmlAnswer(`<ErrorResponse>${error}<RequestId>${randomUUID()}</RequestId></ErrorResponse>`, status)
    }
    case 's3':
      return xmlAnswer(
        `<Error><Code>${xml(code)}</Code><Message>${xml(message)}</Message><RequestId>${randomUUID()}</RequestId></Error>`,
        status,
      )
  }
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

export function xml(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? character)
}

export function fromXml(text: string): string {
  const named = Object.entries(ENTITIES).reduce((rest, [character, entity]) => rest.replaceAll(entity, character), text)
  return named
    .replaceAll('&apos;', "'")
    .replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
}
