// Says what it was given, then waits to be stopped.
const metadata = await fetch(`${process.env.ECS_CONTAINER_METADATA_URI_V4}/task`).then((answer) => answer.json())
console.log(
  JSON.stringify({
    task: metadata.TaskARN,
    table: process.env.TABLE_NAME,
    version: process.env.VERSION,
    hasKey: (process.env.ADMIN_KEY ?? '').length,
    mode: process.env.NODE_ENV,
    home: process.env.HOME ?? null,
  }),
)
const alive = setInterval(() => {}, 1_000)
process.on('SIGTERM', () => {
  console.log('stopping')
  clearInterval(alive)
})
