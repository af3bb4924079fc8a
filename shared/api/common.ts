import { z } from 'zod'

/** ISO 8601 in UTC with milliseconds. */
export const isoTimeSchema = z.iso.datetime({ precision: 3 }).meta({ example: '2026-01-31T12:00:00.000Z' })

/** A fraction that a table can hold: what is smaller than DynamoDB's smallest number would be refused there. */
export const fractionSchema = (min: number, max: number) =>
  z
    .number()
    .min(min)
    .max(max)
    .overwrite((value) => Number(value.toFixed(9)))

/** An id in a path. Its form is not checked: an id that cannot exist is answered as not found, like any other. */
export const idSchema = z.string().min(1).max(128)

/** Query of every list. `next` is opaque and comes from the page before. */
export const pageQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(50).meta({ description: 'At most this many items.' }),
  next: z.string().min(1).max(2048).optional().meta({ description: '`next` of the page before.' }),
})
export type PageQuery = z.infer<typeof pageQuerySchema>

export function pageSchema<T extends z.ZodType>(item: T, id: string) {
  return z
    .strictObject({
      items: z.array(item),
      next: z.string().optional().meta({ description: 'Absent on the last page.' }),
    })
    .meta({ id })
}

export const noQuerySchema = z.strictObject({})

/** The version that a change is meant for: what `ETag` said. */
export const ifMatchSchema = z
  .string()
  .regex(/^(?:W\/)?"\d{1,15}"$/, 'must be the ETag that was given')
  .meta({ description: 'Change it only if it still is as this ETag says.', example: '"7"' })

export const etagOf = ({ version }: { readonly version: number }): string => `"${version}"`
export const versionOf = (etag: string): number => Number(etag.replace(/\D/g, ''))
