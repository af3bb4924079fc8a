import { VirtualClock } from '../connector/virtual-clock.ts'
import { modelApiMessages } from '../simulation/models/api-messages.ts'
import { ModelDoorbells } from '../simulation/models/doorbells.ts'
import { ModelTables, modelMessages } from '../simulation/models/stores.ts'
import { doorbellContract } from './doorbells.ts'
import { messageStoresContract } from './messages.ts'

/** The simulation's queues and the API's side of its messages, under the contracts of the real ones. */

doorbellContract('model', async () => {
  const clock = new VirtualClock()
  const model = new ModelDoorbells(clock)
  return {
    ringer: model,
    queue: {
      receive: async (partition, waitSeconds) => {
        const received = model.receive(partition, waitSeconds)
        await clock.passTime(waitSeconds * 1_000)
        return received
      },
      done: (partition, receipts) => model.done(partition, receipts),
      handBack: (partition, receipts) => model.handBack(partition, receipts),
      reject: (partition, message) => model.reject(partition, message),
    },
    post: async (partition, body) => model.post(partition, 'con_1', body),
    rejected: async () => model.rejected,
  }
})

messageStoresContract('model', async (waitingMax) => {
  const tables = new ModelTables()
  return { worker: modelMessages(tables), api: modelApiMessages(tables, waitingMax) }
})
