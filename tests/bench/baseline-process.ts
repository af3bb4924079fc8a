/**
 * What people write with plain Baileys: a socket for each stored device with Baileys' own multi-file auth state, so many
 * opened at a time. Arguments: server URL, root key, folder with a folder for each device, count, at a time.
 */
import { beginPlain, openPlain, tell } from './plain-device.ts'

const [url = '', rootKey = '', folder = '', count = '0', atOnce = '20'] = process.argv.slice(2)
beginPlain(rootKey)

let next = 0
await Promise.all(
  Array.from({ length: Number(atOnce) }, async () => {
    while (next < Number(count)) await openPlain(url, folder, next++)
  }),
)
tell({ event: 'all open' })
