/**
 * What an operator sets for one business profile. Absent: the deployment's own default, or no bound where there is none.
 * What messages and connections need of it is copied onto the profile's connections, and what a call needs onto its keys,
 * so that neither a send nor a call reads the profile.
 */
export interface ProfileSettings {
  readonly quotas: Quotas
  readonly limits: CallLimits
  readonly retention: Retention
}

export interface Quotas {
  /** Connections that there may be at a time. */
  readonly connections?: number
  /** Sends that are accepted in one UTC day, by REST and by the queues. */
  readonly sendsPerDay?: number
}

/** Of one key. */
export interface CallLimits {
  readonly requestsPerSecond?: number
  readonly sendsPerSecond?: number
}

/** Days that things are kept. A change holds for what is written from then on. */
export interface Retention {
  readonly messagesDays?: number
  /** Events that wait for a webhook, those that it did not take, and the log of deliveries. */
  readonly eventsDays?: number
  /** Never longer than the deployment's own, after which the bucket itself deletes. */
  readonly mediaDays?: number
  readonly auditDays?: number
}

export const noSettings: ProfileSettings = { quotas: {}, limits: {}, retention: {} }

/** Days that audit entries, and events on their way to webhooks, are kept where the profile says nothing. */
export const auditDaysDefault = 365
export const eventsDaysDefault = 14
