/** The server in a process of its own. Arguments: milliseconds of a read, of a write. */
import { startDynamoServer } from './server.ts'

const [readMs = '0', writeMs = '0'] = process.argv.slice(2)
const { endpoint } = await startDynamoServer({ readMs: Number(readMs), writeMs: Number(writeMs) })
process.stdout.write(`${JSON.stringify({ event: 'ready', endpoint })}\n`)
