import { Duration } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { FilterCriteria, FilterRule, StartingPosition } from 'aws-cdk-lib/aws-lambda'
import { DynamoEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { Construct } from 'constructs'
import { acknowledge, allObjectsFinding } from './acknowledge.ts'
import { Handler } from './function.ts'
import type { Settings } from './settings.ts'
import type { Storage } from './storage.ts'

export interface MediaEndProps {
  readonly settings: Settings
  readonly storage: Storage
}

/** Objects of media go with their rows, whose time is their business profile's; the bucket's own rule is the outer bound. */
export class MediaEnd extends Construct {
  constructor(scope: Construct, id: string, { settings, storage }: MediaEndProps) {
    super(scope, id)
    const { media } = storage.tables
    const end = new Handler(this, 'End', {
      handler: 'streams/end-of-media',
      settings,
      timeout: Duration.seconds(30),
      environment: { MEDIA_TABLE: media.tableName, MEDIA_BUCKET: storage.mediaBucket.bucketName },
    })
    end.allowTable(media, 'GetItem')
    end.addToRolePolicy(
      new PolicyStatement({
        actions: ['s3:DeleteObject'],
        resources: [storage.mediaBucket.arnForObjects('media/*')],
      }),
    )
    acknowledge(
      end.role ?? end,
      allObjectsFinding(this, storage.mediaBucket, 'media/'),
      'Media are objects of all business profiles, named at run time; the role names the folder that holds nothing else.',
    )
    end.addEventSource(
      new DynamoEventSource(media, {
        startingPosition: StartingPosition.TRIM_HORIZON,
        batchSize: 100,
        bisectBatchOnError: true,
        // No failure destination: what is given up the bucket's rule deletes.
        retryAttempts: 10_000,
        maxRecordAge: Duration.hours(12),
        reportBatchItemFailures: true,
        filters: [FilterCriteria.filter({ eventName: FilterRule.isEqual('REMOVE') })],
      }),
    )
  }
}
