import { modelApiMessages } from '../simulation/models/api-messages.ts'
import { ModelOperationTable, modelApiOperations, modelOperations } from '../simulation/models/operations.ts'
import { ModelTables, modelConnections, modelMessages } from '../simulation/models/stores.ts'
import { workerConnectionsContract } from './connections.ts'
import { workerMessagesContract } from './messages-worker.ts'
import { operationStoresContract } from './operations.ts'

/** The simulation proves something only while its stores keep the promises that the real ones keep. */

workerConnectionsContract('model', async () => {
  const tables = new ModelTables()
  return {
    worker: modelConnections(tables),
    create: async (row) => tables.connections.set(`${row.businessProfileId}#${row.connectionId}`, row),
  }
})

workerMessagesContract('model', async () => {
  const tables = new ModelTables()
  return {
    worker: modelMessages(tables),
    put: async (row) => tables.put(row),
    receipts: (row) => modelApiMessages(tables).receipts(row, row.whatsappId),
    inbound: async (row) => tables.inbound(row).find(({ key }) => key === row.key),
  }
})

operationStoresContract('model', async () => {
  const table = new ModelOperationTable()
  return { api: modelApiOperations(table), worker: modelOperations(table) }
})
