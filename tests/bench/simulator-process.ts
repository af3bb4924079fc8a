/**
 * The simulated WhatsApp server of a bench: its cryptography costs less than in a process of its own, and it writes nothing back
 * to the copy of the state that it starts from. Neither side then waits for the server where it would not wait for WhatsApp.
 */
import { useKeyObjects } from '../../connector/whatsapp/key-objects.ts'
import { StateStore } from '../../local/whatsapp/store.ts'

useKeyObjects()
StateStore.prototype.changed = () => undefined
StateStore.prototype.removed = () => undefined
await import('../../local/whatsapp/main.ts')
