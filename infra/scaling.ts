import { Duration } from 'aws-cdk-lib'
import { AdjustmentType } from 'aws-cdk-lib/aws-applicationautoscaling'
import type { FargateService } from 'aws-cdk-lib/aws-ecs'
import { ownMetric } from './metric.ts'
import type { Settings } from './settings.ts'

/** Of the connections that a worker accepts: the rest is room for those of a worker that dies. */
export const targetShare = 0.6

/**
 * More workers where those that run are filling up, or take doorbells late; fewer where they are not. A worker that goes hands
 * its connections over first, as in a deploy, so scaling in costs each of them about two seconds.
 */
export function scaleWorkers(service: FargateService, settings: Settings): void {
  const { workers, workersMax, maxConnectionsPerWorker } = settings
  if (workersMax === workers) return
  const scaling = service.autoScaleTaskCount({ minCapacity: workers, maxCapacity: workersMax })
  scaling.scaleToTrackCustomMetric('ConnectionsPerWorker', {
    metric: ownMetric(settings, 'Connections'),
    targetValue: Math.max(1, Math.round(targetShare * maxConnectionsPerWorker)),
    scaleOutCooldown: Duration.minutes(3),
    // Connections that have just moved are left in peace for a while.
    scaleInCooldown: Duration.minutes(30),
  })
  scaling.scaleOnMetric('DoorbellsLate', {
    metric: ownMetric(settings, 'DoorbellWait'),
    adjustmentType: AdjustmentType.CHANGE_IN_CAPACITY,
    evaluationPeriods: 3,
    cooldown: Duration.minutes(5),
    scalingSteps: [
      { lower: 5_000, change: 1 },
      { lower: 30_000, change: 2 },
    ],
  })
}
