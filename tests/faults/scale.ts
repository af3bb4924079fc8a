/** How large the scenarios are: connections, and kills. A bench may raise them to 300 and 200. */
export const scale = {
  connections: Number(process.env.HOLDFAST_SCALE ?? 10),
  kills: Number(process.env.HOLDFAST_KILLS ?? 5),
  /** What a machine that does other work besides may add to any of the bounds; 0 on a quiet one. */
  slackMs: Number(process.env.HOLDFAST_SLACK_MS ?? 5_000),
  /** Of the kills and the traffic between them; a failing run names it. */
  seed: Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000),
} as const
