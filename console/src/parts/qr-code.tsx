import { create } from 'qrcode'
import { useMemo } from 'react'

/** Modules of white around it, which scanners need. */
const quiet = 4

/** As one path, so that it is sharp at any size. */
export function QrCode({ text }: { readonly text: string }) {
  const { size, path } = useMemo(() => {
    const { modules } = create(text, { errorCorrectionLevel: 'L' })
    const dark: string[] = []
    for (let row = 0; row < modules.size; row++) {
      for (let column = 0; column < modules.size; column++) {
        if (modules.get(row, column)) dark.push(`M${column + quiet} ${row + quiet}h1v1h-1z`)
      }
    }
    return { size: modules.size + 2 * quiet, path: dark.join('') }
  }, [text])
  return (
    <svg
      className="qr"
      viewBox={`0 0 ${size} ${size}`}
      role="img"
      aria-label="QR code to scan with WhatsApp"
      shapeRendering="crispEdges"
    >
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  )
}
