import { authStoreContract } from '../../contracts/auth-store.ts'
import { AuthTables, modelAuthStore } from '../../simulation/models/auth.ts'

authStoreContract('the simulation’s model', () => {
  const tables = new AuthTables()
  return {
    store: modelAuthStore(tables),
    async damageSnapshot(key) {
      const object = tables.objects.get(key)
      if (object !== undefined) object[0]! ^= 1
    },
    async removeSnapshot(key) {
      tables.objects.delete(key)
    },
  }
})
