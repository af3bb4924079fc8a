import { Stack } from 'aws-cdk-lib'
import type { Bucket } from 'aws-cdk-lib/aws-s3'
import { Validations } from 'aws-cdk-lib/core'
import type { IConstruct } from 'constructs'

/** A rule of cdk-nag's AwsSolutions pack that a construct breaks on purpose, and why. Exact findings only: a new one still fails. */
export function acknowledge(construct: IConstruct, id: string, reason: string): void {
  Validations.of(construct).acknowledge({ id, reason })
}

/** The finding for "all objects of this bucket", or of a folder of it (`media/`), as cdk-nag spells it where `scope` stands. */
export function allObjectsFinding(scope: IConstruct, bucket: Bucket, folder = ''): string {
  const here = Stack.of(scope)
  const owner = Stack.of(bucket)
  if (here === owner)
    return `AwsSolutions-IAM5[Resource::<${owner.getLogicalId(bucket.node.defaultChild as never)}.Arn>/${folder}*]`
  const imported: { 'Fn::ImportValue': string } = here.resolve(owner.exportValue(bucket.bucketArn))
  return `AwsSolutions-IAM5[Resource::${imported['Fn::ImportValue']}/${folder}*]`
}
