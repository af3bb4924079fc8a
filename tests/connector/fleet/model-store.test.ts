import { fleetStoreContract } from '../../contracts/fleet-store.ts'
import { ModelFleetStore } from '../../simulation/models/fleet.ts'

fleetStoreContract('the model', async () => new ModelFleetStore())
