/**
 * The simulated WhatsApp server of a bench: its cryptography costs less than in a process of its own, so that neither side waits
 * for the server where it would not wait for WhatsApp.
 */
import { useKeyObjects } from '../../connector/whatsapp/key-objects.ts'

useKeyObjects()
await import('../../local/whatsapp/main.ts')
