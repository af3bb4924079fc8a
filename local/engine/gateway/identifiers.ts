/** Identifiers and times in the forms that API Gateway writes them. */
import { randomBytes } from 'node:crypto'

/** Request, message and connection ids: eleven random bytes in base64, such as `L0SM9cOFvHcCIhw=`, URL-safe letters. */
export function gatewayId(): string {
  return `${randomBytes(11).toString('base64url')}=`
}

export function isGatewayId(text: string): boolean {
  return /^[A-Za-z0-9_-]{15}=$/.test(text)
}

export function traceId(nowMs: number): string {
  return `Root=1-${Math.floor(nowMs / 1000).toString(16)}-${randomBytes(12).toString('hex')}`
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `12/Mar/2020:19:03:58 +0000`, the common log format. */
export function logTime(ms: number): string {
  const [year = '', month = '', rest = ''] = new Date(ms).toISOString().split('-')
  return `${rest.slice(0, 2)}/${months[Number(month) - 1]}/${year}:${rest.slice(3, 11)} +0000`
}

/** The host that a client would have called on AWS. */
export function domainName(api: { readonly apiId: string; readonly region: string }): string {
  return `${api.apiId}.execute-api.${api.region}.amazonaws.com`
}

/** `arn:aws:execute-api:eu-west-1:111111111111:API/STAGE/…` and what else belongs to one API. */
export function executeApiArn(
  api: { readonly apiId: string; readonly region: string; readonly account: string },
  rest: string,
): string {
  return `arn:aws:execute-api:${api.region}:${api.account}:${api.apiId}/${rest}`
}
