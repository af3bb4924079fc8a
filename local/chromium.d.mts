export function findChromium(): string | undefined
export const chromiumAdvice: string
