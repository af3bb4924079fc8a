import { App } from 'aws-cdk-lib'
import { buildHoldfast } from './build.ts'

const app = new App()
buildHoldfast(app)
app.synth()
