import { z } from 'zod'

/** Bytes of an import's body, decompressed; compressed, it must fit into what API Gateway and Lambda let through. */
export const importBytesMax = 32 * 1024 * 1024

export const importConnectionSchema = z
  .strictObject({
    label: z.string().trim().min(1).max(100).meta({ description: 'A name for people.', example: 'Primary Device' }),
    files: z.record(z.string().min(1).max(300), z.unknown()).meta({
      description:
        'The files of the folder that `useMultiFileAuthState` writes: each name with its content as JSON. `creds.json` must be there.',
      example: { 'creds.json': {}, 'session-94714515253.0.json': {} },
    }),
  })
  .meta({ id: 'ImportConnection' })
